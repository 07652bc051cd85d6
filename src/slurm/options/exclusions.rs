//! Options that exclude each other.

use super::{Options, Refusal};

/// The three ways to ask for memory, in the order Slurm names them.
const MEMORY: [&str; 3] = ["mem", "mem-per-cpu", "mem-per-gpu"];

/// Checks them, and lets an option that was given by hand displace one that
/// only a variable sets (sbatch.txt; `SBATCH_MEM_PER_CPU` beside `#SBATCH --mem`).
pub(super) fn check(options: &mut Options) -> Result<(), Refusal> {
    let command = options.command();
    if !command.allocates() {
        return Ok(());
    }
    memory(options)?;
    if options.is_set("gpus-per-task") && options.is_set("ntasks-per-gpu") {
        let message = "--gpus-per-task is mutually exclusive with --ntasks-per-gpu and SLURM_NTASKS_PER_GPU";
        return Err(Refusal::fatal(command, message));
    }
    if options.is_set("verbose") && options.is_set("quiet") {
        let message = "don't specify both --verbose (-v) and --quiet (-Q)";
        return Err(Refusal::error(command, 1, message));
    }
    Ok(())
}

fn memory(options: &mut Options) -> Result<(), Refusal> {
    let command = options.command();
    let by_hand = MEMORY.iter().filter(|n| options.set_by_hand(n)).count();
    let set = MEMORY.iter().filter(|n| options.is_set(n)).count();
    if by_hand > 1 {
        let message = "--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.";
        return Err(Refusal::fatal(command, message));
    }
    if by_hand == 0 && set > 1 {
        let message = "SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive.";
        return Err(Refusal::fatal(command, message));
    }
    if by_hand == 1 {
        for name in MEMORY {
            if !options.set_by_hand(name) {
                options.forget(name);
            }
        }
    }
    Ok(())
}
