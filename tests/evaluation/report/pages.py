"""Reads a report page as a strict browser would: tags that close, identifiers that differ, nothing from outside."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


class ParsedPage(HTMLParser):
    """What a test wants to know about a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.texts, self.addresses = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        assert len(self.ids) == len(set(self.ids)), "an id occurs twice"

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        for name, value in attributes:
            assert not name.startswith("on"), f"a handler: {name}"
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]
