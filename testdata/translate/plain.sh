#!/bin/bash
#SBATCH --nodes=1
##SBATCH --time=99
echo "$1" | tee out.txt
#SBATCH --mem=64G
