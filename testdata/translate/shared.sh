#!/bin/bash
#SBATCH --partition=lustre
#SBATCH --gpus-per-node=v100:2
#SBATCH --mem=0
#SBATCH --time=30
cd $SLURM_SUBMIT_DIR
srun ./run_all.sh
