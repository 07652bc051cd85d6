//! The cookie file that `sky api login` writes (Netscape's format, as Python's `MozillaCookieJar` has it): the login at
//! an OAuth proxy.

use reqwest::{
    Url,
    cookie::{CookieStore, Jar},
    header::HeaderValue,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// The file's cookies that are for one server, read again when the file changes: a new login needs no restart.
/// What the server sets is kept in memory.
pub(super) struct CookieFile {
    path: PathBuf,
    server: Url,
    read: Mutex<(Option<SystemTime>, Jar)>,
}

impl CookieFile {
    pub(super) fn new(path: &Path, server: &Url) -> Self {
        Self { path: path.to_owned(), server: server.clone(), read: Mutex::default() }
    }

    fn jar(&self) -> MutexGuard<'_, (Option<SystemTime>, Jar)> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = fs::metadata(&self.path).and_then(|m| m.modified()).ok();
        if changed != read.0 {
            let text = fs::read(&self.path).unwrap_or_default();
            *read = (changed, jar_of(&String::from_utf8_lossy(&text), &self.server));
        }
        read
    }
}

impl CookieStore for CookieFile {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        self.jar().1.set_cookies(headers, url);
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        let mut cookies = self.jar().1.cookies(url)?;
        cookies.set_sensitive(true);
        Some(cookies)
    }
}

/// Domain, whether it is for hosts below it, path, whether only over TLS, expiry (epoch seconds; 0: with the session),
/// name, value; separated by tabs. The jar itself takes only what fits `server`, and gives out only what fits a request.
fn jar_of(text: &str, server: &Url) -> Jar {
    let jar = Jar::default();
    for line in text.lines() {
        let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let &[domain, below, path, secure, expires, name, value] = fields.as_slice() else { continue };
        // Python writes a cookie without a value as one without a name.
        if name.is_empty() || [domain, path, name, value].iter().any(|t| t.contains(';')) {
            continue;
        }
        let mut cookie = format!("{name}={value}; Path={path}");
        if below == "TRUE" {
            cookie.push_str(&format!("; Domain={}", domain.trim_start_matches('.')));
        } else if server.host_str().is_none_or(|host| !is_of(domain, host)) {
            continue;
        }
        if secure == "TRUE" {
            cookie.push_str("; Secure");
        }
        if let Some(at) = expires.parse().ok().filter(|at| *at > 0) {
            let Some(at) = chrono::DateTime::from_timestamp(at, 0) else { continue };
            cookie.push_str(&format!("; Expires={}", at.format("%a, %d %b %Y %H:%M:%S GMT")));
        }
        jar.add_cookie_str(&cookie, server);
    }
    jar
}

/// Whether a cookie of exactly this host was meant. Python adds `.local` to a name without dots.
fn is_of(domain: &str, host: &str) -> bool {
    let own = domain.strip_suffix(".local").filter(|own| !own.contains('.')).unwrap_or(domain);
    [domain, own].iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Netscape HTTP Cookie File\n\
        #HttpOnly_sky.example\tFALSE\t/\tTRUE\t4000000000\t_oauth2_proxy\tabc==\n\
        .example\tTRUE\t/\tFALSE\t\twide\t1\n\
        sky.example\tFALSE\t/dashboard\tFALSE\t0\tpath\t2\n\
        sky.example\tFALSE\t/\tFALSE\t1000000000\tpast\t3\n\
        other.example\tFALSE\t/\tFALSE\t4000000000\tother\t4\n\
        .org\tTRUE\t/\tFALSE\t4000000000\tforeign\t5\n\
        sky.example\tFALSE\t/\tFALSE\t4000000000\tbad\ta; Domain=evil\n\
        sky.example\tFALSE\t/\tFALSE\t99999999999999999\tfar\t6\n\
        broken line\n";

    fn sent(file: &str, server: &str, url: &str) -> Vec<String> {
        let cookies = jar_of(file, &Url::parse(server).unwrap()).cookies(&Url::parse(url).unwrap());
        let mut cookies: Vec<String> =
            cookies.iter().flat_map(|c| c.to_str().unwrap().split("; ")).map(str::to_owned).collect();
        cookies.sort();
        cookies
    }

    #[test]
    fn only_what_fits() {
        assert_eq!(sent(FILE, "https://sky.example", "https://sky.example/api/get"), ["_oauth2_proxy=abc==", "wide=1"]);
        assert_eq!(sent(FILE, "http://sky.example", "http://sky.example/"), ["wide=1"], "secure ones need TLS");
        let path = sent(FILE, "http://sky.example", "http://sky.example/dashboard/x");
        assert_eq!(path, ["path=2", "wide=1"]);
        assert_eq!(sent(FILE, "http://other.example", "http://other.example/"), ["other=4", "wide=1"]);
        assert_eq!(sent(FILE, "http://sky.example", "http://elsewhere/"), [""; 0]);
        let local = "sky.local\tFALSE\t/\tFALSE\t\ta\t1\na.b.local\tFALSE\t/\tFALSE\t\tb\t2\n";
        assert_eq!(sent(local, "http://sky", "http://sky/"), ["a=1"]);
        assert_eq!(sent(local, "http://a.b", "http://a.b/"), [""; 0]);
    }

    #[test]
    fn a_new_login_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookies.txt");
        let url = Url::parse("http://h").unwrap();
        let cookies = CookieFile::new(&path, &url);
        assert_eq!(cookies.cookies(&url), None);
        fs::write(&path, "h\tFALSE\t/\tFALSE\t0\ta\t1\n").unwrap();
        assert_eq!(cookies.cookies(&url).unwrap(), "a=1");
        assert!(!format!("{:?}", cookies.cookies(&url)).contains("a=1"));
    }
}
