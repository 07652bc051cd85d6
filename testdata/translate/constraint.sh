#!/bin/bash
#SBATCH -p cloud -G 4 -C "h100"
#SBATCH --exclude=node7
nvidia-smi
