#!/bin/bash
#SBATCH --ntasks=1 --mem=4G
#SBATCH hetjob
#SBATCH --ntasks=8 --gpus-per-node=8
srun --het-group=0 ./server : --het-group=1 ./client
