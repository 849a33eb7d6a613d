#!/bin/bash
# One worker on each node, with all GPUs of the node. What follows the script's name goes to `tfpretune run`:
#   sbatch docs/scaling/slurm.sh pretrain_text --source 'text:/shared/corpus/*.txt' --out-dir /shared/runs/pretrain_text
#SBATCH --job-name=tfpretune
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=1
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@180

# Slurm sends SIGTERM three minutes before the time is over: the run saves, ends with 143, and is put into the queue again.
port=$((20000 + SLURM_JOB_ID % 20000))
workers=""
for host in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
  workers="$workers${workers:+, }\"$host:$port\""
done
export workers

# Not --kill-on-bad-exit=1: the workers end by themselves when one is gone, and the first may still be saving.
srun --kill-on-bad-exit=0 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$workers]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  exec tfpretune run "$@"' tfpretune "$@"
code=$?
if [ "$code" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
