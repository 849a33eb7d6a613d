"""What all fine-tuning runs share around their model: methods put on, fit, runs read again, export."""
