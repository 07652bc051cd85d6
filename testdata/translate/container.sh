#!/bin/bash
#SBATCH --partition=gpu
#SBATCH --nodes=1
#SBATCH --gres=gpu:8
#SBATCH --exclusive
#SBATCH --container-image='nvcr.io#nvidia/nemo:24.07'
#SBATCH --no-container-mount-home
srun python -m nemo.run
