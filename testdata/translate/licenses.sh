#!/bin/bash
#SBATCH -p cloud -L matlab:1
matlab -batch run
