#!/bin/bash
#SBATCH -p gpu --gres=gpu:a100:2,gpu:v100:2
true
