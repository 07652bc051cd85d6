//! Cells: a value cut or filled up to a width.

/// Writes one cell: `value` appends the value to `out`, then it is cut or filled up to `width`.
///
/// Widths count characters. Slurm counts bytes, and would cut an accented letter in half.
pub fn cell(out: &mut String, width: usize, right: bool, value: impl FnOnce(&mut String)) {
    let start = out.len();
    value(out);
    if fill(out, start, width, right) {
        cut(out, start, width);
    }
}

/// The same for a value that may end in `mark`, which then stays when the value is cut.
pub fn marked_cell(out: &mut String, width: usize, right: bool, mark: char, value: impl FnOnce(&mut String)) {
    let start = out.len();
    value(out);
    if fill(out, start, width, right) {
        let marked = out.ends_with(mark);
        cut(out, start, width - usize::from(marked));
        if marked {
            out.push(mark);
        }
    }
}

/// The same, right-justified, for a value that is never cut.
pub fn uncut_cell(out: &mut String, width: usize, value: impl FnOnce(&mut String)) {
    let start = out.len();
    value(out);
    fill(out, start, width, true);
}

/// The same, right-justified, for a value of which it depends whether it is cut.
pub fn cell_cut_if(out: &mut String, width: usize, is_cut: fn(&str) -> bool, value: impl FnOnce(&mut String)) {
    let start = out.len();
    value(out);
    if fill(out, start, width, true) && out.get(start..).is_some_and(is_cut) {
        cut(out, start, width);
    }
}

/// Fills the value that begins at `start` up to `width`; whether it is too wide for that.
fn fill(out: &mut String, start: usize, width: usize, right: bool) -> bool {
    let value = out.get(start..).unwrap_or_default();
    // Nearly every value is ASCII: its length is that of its bytes.
    let length = if value.is_ascii() { value.len() } else { value.chars().count() };
    if length < width && right {
        out.insert_str(start, blanks(width - length).as_ref());
    } else if length < width {
        out.push_str(blanks(width - length).as_ref());
    }
    width > 0 && length > width
}

fn cut(out: &mut String, start: usize, width: usize) {
    let kept = out.get(start..).and_then(|value| value.char_indices().nth(width));
    if let Some((at, _)) = kept {
        out.truncate(start + at);
    }
}

const BLANKS: &str = "                                                                ";

/// So many blanks, without an allocation where they are few.
fn blanks(count: usize) -> std::borrow::Cow<'static, str> {
    match BLANKS.get(..count) {
        Some(blanks) => blanks.into(),
        None => " ".repeat(count).into(),
    }
}

/// Appends a number.
pub fn number(out: &mut String, value: impl Into<i64>) {
    let value: i64 = value.into();
    let mut digits = [0_u8; 20];
    let mut left = value.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (left % 10) as u8;
        }
        left /= 10;
        if left == 0 || at == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.push_str(digits.get(at..).and_then(|d| std::str::from_utf8(d).ok()).unwrap_or_default());
}

/// Appends a number, with a zero before it if it has one digit only.
pub fn two_digits(out: &mut String, value: u32) {
    if value < 10 {
        out.push('0');
    }
    number(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell_of(text: &str, width: usize, right: bool) -> String {
        let mut out = String::from("|");
        cell(&mut out, width, right, |out| out.push_str(text));
        out
    }

    #[test]
    fn values_are_cut_and_filled_up() {
        assert_eq!(cell_of("a-very-long-name", 8, true), "|a-very-l");
        assert_eq!(cell_of("R", 2, true), "| R");
        assert_eq!(cell_of("gpu", 9, false), "|gpu      ");
        assert_eq!(cell_of("gpu", 0, true), "|gpu");
        assert_eq!(cell_of("äöü", 2, true), "|äö");
        assert_eq!(cell_of("ä", 3, true), "|  ä");
        assert_eq!(cell_of("x", 1234, false).len(), 1235);
        let mut out = String::new();
        marked_cell(&mut out, 3, true, '*', |out| out.push_str("gpu*"));
        assert_eq!(out, "gp*"); // sinfo -o %.3P
    }

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 7, -1, 4_294_901_698, i64::MAX, i64::MIN] {
            let mut out = String::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string());
        }
    }
}
