#!/bin/bash
#SBATCH --job-name="it's \"10%\": 学習 #1"
#SBATCH --comment="yes: no"
#SBATCH --partition=cloud
printf '%s\n' "$@"
