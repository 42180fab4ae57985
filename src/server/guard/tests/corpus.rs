//! Heads and what the guard says of each.

use super::Violation;

/// Whole heads; what hyper refuses by itself may be `None` here.
pub(super) const HEADS: &[(&str, Option<Violation>)] = &[
    // Heads that clients send.
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("GET / HTTP/1.1\r\nhOST:a\r\n\r\n", None),
    ("GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", None),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("GET / HTTP/1.0\r\n\r\n", None),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", None),
    (
        "GET /v1/models/gpt-4.1 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n",
        None,
    ),
    (
        "GET /v1/models/meta-llama/Llama-3.1:free HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
        None,
    ),
    (
        "GET /a?next=//b/../c%2f\\%00 HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
        None,
    ),
    (
        "GET /a%20b%C3%A9/ HTTP/1.1\r\nHost: [2001:db8::1.2.3.4]\r\n\r\n",
        None,
    ),
    (
        "GET /.well-known/x HTTP/1.1\r\nHost: my_service-1.svc.\r\n\r\n",
        None,
    ),
    (
        "POST /v1/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        None,
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Other: b\r\n\r\n",
        None,
    ),
    ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (
        "GET HTTP://A.Example:80/x?y HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
        None,
    ),
    ("GET https://a HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("GET http://a?b=/c HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("GET http://a/ HTTP/1.0\r\n\r\n", None),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("get / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nHosts: b\r\nX-Host: c\r\nHost-: d\r\n\r\n",
        None,
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX-Content-Length: 5\r\nTransfer-Encodings: x\r\n\r\n",
        None,
    ),
    (
        "GET / HTTP/1.1\r\nContent-Length: 000\r\nHost: a\r\n\r\n",
        None,
    ),
    // Line ends and folding.
    ("GET / HTTP/1.1\nHost: a\n\n", Some(Violation::BareLineFeed)),
    (
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        Some(Violation::BareLineFeed),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        Some(Violation::BareLineFeed),
    ),
    (
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::BareLineFeed),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\n c\r\n\r\n",
        Some(Violation::BareLineFeed),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        Some(Violation::FoldedLine),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\n\tContent-Length: 5\r\n\r\n",
        Some(Violation::FoldedLine),
    ),
    (
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        Some(Violation::FoldedLine),
    ),
    // The request line.
    ("GET /\r\nHost: a\r\n\r\n", Some(Violation::RequestLine)),
    ("GET\r\nHost: a\r\n\r\n", Some(Violation::RequestLine)),
    (
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    (
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    (
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    (
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    (
        "GET / HTTP/1.9\r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    (
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    (
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::RequestLine),
    ),
    ("PRI * HTTP/2.0\r\n\r\n", Some(Violation::RequestLine)),
    (
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        Some(Violation::Method),
    ),
    (
        "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Method),
    ),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Some(Violation::Target)),
    (
        "GET v1/chat HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET http://a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    (
        "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Target),
    ),
    // The path.
    (
        "GET /v1/../admin%2f..%2fx HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    ("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", None),
    ("GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (
        "GET /a/.. HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a/..;/b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a/./b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    ("GET /. HTTP/1.1\r\nHost: a\r\n\r\n", Some(Violation::Path)),
    (
        "GET /a/.?b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /%2e%2e/b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /.%2E/b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    ("GET //a HTTP/1.1\r\nHost: a\r\n\r\n", Some(Violation::Path)),
    (
        "GET /a//b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a%5Cb HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a%0d%0aX HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    ("GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", Some(Violation::Path)),
    (
        "GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    (
        "GET http://a//b HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::Path),
    ),
    // Host.
    ("GET / HTTP/1.1\r\n\r\n", Some(Violation::MissingHost)),
    (
        "GET http://a/ HTTP/1.1\r\n\r\n",
        Some(Violation::MissingHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        Some(Violation::MissingHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        Some(Violation::RepeatedHost),
    ),
    (
        "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
        Some(Violation::RepeatedHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a/admin?x#\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n",
        Some(Violation::InvalidHost),
    ),
    (
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
        Some(Violation::HostMismatch),
    ),
    (
        "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
        Some(Violation::HostMismatch),
    ),
    (
        "GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n",
        Some(Violation::HostMismatch),
    ),
    // Framing.
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        Some(Violation::LengthAndEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        Some(Violation::LengthAndEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        Some(Violation::RepeatedLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        Some(Violation::RepeatedLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
        Some(Violation::InvalidLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        Some(Violation::InvalidLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        Some(Violation::InvalidLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
        Some(Violation::InvalidLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        Some(Violation::InvalidLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        Some(Violation::InvalidLength),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
    (
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        Some(Violation::TransferEncoding),
    ),
];
