//! `scontrol errnumstr`: the words of an error by its number.

use crate::slurm::errno::Errno;

/// Slurm's words for its own errors, the system's for its.
pub fn of(number: i32) -> String {
    let own = Errno::ALL.iter().find(|errno| i32::from(errno.number()) == number);
    match own {
        Some(errno) => errno.to_string(),
        None if number == 0 => "No error".to_owned(),
        // strerror(3); std adds the number.
        None => {
            let text = std::io::Error::from_raw_os_error(number).to_string();
            text.rsplit_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    /// Asked of a real scontrol.
    #[test]
    fn numbers_have_words() {
        assert_eq!(super::of(2017), "Invalid job id specified");
        assert_eq!(super::of(5), "Input/output error");
        assert_eq!(super::of(0), "No error");
        super::of(i32::MIN);
    }
}
