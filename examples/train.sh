#!/bin/bash
#SBATCH --job-name=train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --mem=400G
#SBATCH --time=1-00:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --output=train-%j.out

set -euo pipefail

# Two minutes before the time limit: write a checkpoint and go back into the queue.
again() {
    echo "time is nearly up after ${SLURM_RESTART_COUNT:-0} restarts"
    touch checkpoints/stop
    wait "$step" || true
    scontrol requeue "$SLURM_JOB_ID"
}
trap again USR1

mkdir -p checkpoints
rm -f checkpoints/stop

# torchrun starts one process for each GPU of its node and needs to know where to meet.
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_ADDR

srun bash -c 'torchrun --nnodes="$SLURM_NNODES" --nproc-per-node="$SLURM_GPUS_ON_NODE" \
    --rdzv-backend=c10d --rdzv-endpoint="$MASTER_ADDR:29500" --rdzv-id="$SLURM_JOB_ID" \
    train.py --checkpoints checkpoints' &
step=$!
wait "$step"
