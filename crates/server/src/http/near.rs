//! Whether a request comes from the machine itself.

use axum::extract::{ConnectInfo, Request};
use axum::http::{Uri, header};

use crate::peer::Peer;

/// From this machine, by one of its own names (a page elsewhere may let its name mean this machine),
/// and not through a proxy, which would make all the world near.
pub(super) fn is_near(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let headers = request.headers();
    let forwarded = [header::FORWARDED.as_str(), "x-forwarded-for", "x-real-ip", "via"];
    peer.is_some_and(|ConnectInfo(Peer(address))| address.ip().to_canonical().is_loopback())
        && !forwarded.iter().any(|name| headers.contains_key(*name))
        && headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(is_own_name)
}

fn is_own_name(host: &str) -> bool {
    let Ok(uri) = host.parse::<Uri>() else { return false };
    let name = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_address = |ip: std::net::IpAddr| ip.is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_address)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(peer: &str, host: &str, proxy: Option<&str>) -> Request {
        let mut request = Request::builder().uri("/admin").header(header::HOST, host);
        if let Some(name) = proxy {
            request = request.header(name, "203.0.113.7");
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer = Peer(peer.parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    }

    #[test]
    fn near_is_the_machine_itself_and_no_proxy() {
        for (peer, host) in [
            ("127.0.0.1:9", "127.0.0.1:8787"),
            ("127.0.0.1:9", "localhost:8787"),
            ("[::1]:9", "[::1]:8787"),
            ("[::ffff:127.0.0.1]:9", "LOCALHOST"),
        ] {
            assert!(is_near(&request(peer, host, None)), "{peer} {host}");
        }
        for (peer, host, proxy) in [
            ("192.0.2.4:9", "127.0.0.1:8787", None),
            ("127.0.0.1:9", "evil.example:8787", None),
            ("127.0.0.1:9", "", None),
            ("127.0.0.1:9", "localhost.evil.example", None),
            ("127.0.0.1:9", "localhost", Some("x-forwarded-for")),
            ("127.0.0.1:9", "localhost", Some("forwarded")),
        ] {
            assert!(!is_near(&request(peer, host, proxy)), "{peer} {host} {proxy:?}");
        }
        let unknown = Request::builder().header(header::HOST, "localhost").body(Body::empty());
        assert!(!is_near(&unknown.unwrap()), "nobody said from where");
    }
}
