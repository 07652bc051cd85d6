#!/bin/bash
#SBATCH --partition=spot
#SBATCH --account=vision
#SBATCH --gres=gpu:a100:4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=12
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
trap 'scontrol requeue $SLURM_JOB_ID' USR1
srun python -u train.py --resume &
wait
