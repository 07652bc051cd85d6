#!/bin/bash
#SBATCH -p gpu --gpus-per-node=4 --constraint=a100
#SBATCH --qos=high
#SBATCH --export=ALL,WANDB_MODE=offline
python -c 'print(1)'
