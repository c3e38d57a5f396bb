//! The codes of IANA's registry "HTTP Status Codes".

use super::code::{Side, StatusCode};

macro_rules! codes {
    ($($code:literal $name:literal, $source:literal, $side:ident: $meaning:literal $advice:literal;)*) => {
        /// By code.
        pub(super) const CODES: &[StatusCode] = &[$(StatusCode {
            code: $code,
            name: $name,
            source: $source,
            side: Side::$side,
            meaning: $meaning,
            advice: $advice,
        },)*];
    };
}
pub(super) use codes;

codes! {
    100 "Continue", "RFC 9110, 15.2.1", Nobody:
        "The server has seen the header and wants the rest of the request. The final answer follows."
        "";
    101 "Switching Protocols", "RFC 9110, 15.2.2", Server:
        "The server goes over to another protocol, WebSocket mostly. Nobody asked it to: a monitor sends no Upgrade."
        "the server's or proxy's WebSocket set-up, which answers plain requests as well";
    102 "Processing", "RFC 2518, 10.1", Nobody:
        "The server is at work and the final answer follows (WebDAV)."
        "";
    103 "Early Hints", "RFC 8297, 2", Nobody:
        "The server names what a browser may load early. The final answer follows, and the time to the first byte runs to that."
        "";
    104 "Upload Resumption Supported", "draft-ietf-httpbis-resumable-upload (temporary)", Nobody:
        "The server can resume an upload that breaks. The final answer follows."
        "";
    200 "OK", "RFC 9110, 15.3.1", Nobody:
        "The request succeeded. An error page sent with 200 looks the same: body_contains with a word of the real page tells them apart."
        "";
    201 "Created", "RFC 9110, 15.3.2", Nobody:
        "Something was created. Its Location names the new thing and is not a redirect."
        "";
    202 "Accepted", "RFC 9110, 15.3.3", Nobody:
        "The request was taken and will be worked on later; whether that succeeds is not said."
        "";
    203 "Non-Authoritative Information", "RFC 9110, 15.3.4", Nobody:
        "A proxy on the way changed what the site answered."
        "the proxy between the monitor and the site, if none should be there";
    204 "No Content", "RFC 9110, 15.3.5", Nobody:
        "Success without a body. Assertions on the body cannot hold here."
        "";
    205 "Reset Content", "RFC 9110, 15.3.6", Nobody:
        "Success; a browser should empty its form. There is no body."
        "";
    206 "Partial Content", "RFC 9110, 15.3.7", Nobody:
        "A part of the content, as a Range header asks for. Without one in `headers` the server or a cache is confused."
        "the cache's handling of ranges, if the monitor sends no Range header";
    207 "Multi-Status", "RFC 4918, 11.1", Nobody:
        "Several results in one body (WebDAV). Single failures stand inside it, where body_excludes can look."
        "";
    208 "Already Reported", "RFC 5842, 7.1", Nobody:
        "Members of a collection were listed before (WebDAV); it belongs inside a 207, not on an answer of its own."
        "";
    226 "IM Used", "RFC 3229, 10.4.1", Nobody:
        "The answer is a difference to an earlier one, as an A-IM header asks for."
        "";
    300 "Multiple Choices", "RFC 9110, 15.4.1", Site:
        "There are several versions and the visitor is to choose. It is a final answer: neither browsers nor sitewatch follow it."
        "content negotiation (Apache's MultiViews or mod_speling offer near names of a page that is gone)";
    301 "Moved Permanently", "RFC 9110, 15.4.2", Nobody:
        "The page has a new address for good. Followed to its Location; a POST becomes a GET. Browsers and search engines remember it."
        "the monitor's url, which may as well be the new address";
    302 "Found", "RFC 9110, 15.4.3", Nobody:
        "The page is elsewhere for now. Followed to its Location; a POST becomes a GET. Log-in pages and language choices use it."
        "where it leads: a redirect to a log-in or maintenance page ends with 200 too, expect_final_url tells them apart";
    303 "See Other", "RFC 9110, 15.4.4", Nobody:
        "The result of the request is shown elsewhere. Followed to its Location with GET, whatever the method was (HEAD stays HEAD)."
        "where it leads, by expect_final_url if that matters";
    304 "Not Modified", "RFC 9110, 15.4.5", Gateway:
        "The copy that the client holds is still good. A monitor holds none and sends no condition, so a cache answers what nobody asked."
        "the cache or CDN, and If-None-Match or If-Modified-Since in the monitor's headers";
    305 "Use Proxy", "RFC 9110, 15.4.6 (deprecated)", Server:
        "The server wants a proxy to be used. It is never followed: that would let a site choose the proxy of its visitors."
        "the server's configuration; nothing current sends this";
    306 "(Unused)", "RFC 9110, 15.4.7", Server:
        "Reserved and without meaning. It is a final answer and never followed."
        "the server's configuration or application, which sends it by mistake";
    307 "Temporary Redirect", "RFC 9110, 15.4.8", Nobody:
        "The page is elsewhere for now. Followed to its Location with the same method and body."
        "where it leads, by expect_final_url if that matters";
    308 "Permanent Redirect", "RFC 9110, 15.4.9", Nobody:
        "The page has a new address for good. Followed to its Location with the same method and body."
        "the monitor's url, which may as well be the new address";
    400 "Bad Request", "RFC 9110, 15.5.1", Request:
        "The server cannot read the request or refuses its form: a strange host name, header or query, or plain HTTP sent to an HTTPS port."
        "the monitor's url, port and headers; the server's list of host names";
    401 "Unauthorized", "RFC 9110, 15.5.2", Request:
        "The server is alive and wants credentials, or refuses those it was given."
        "basic_auth or bearer_token_file of the monitor; if being asked is right, expect_status = [401]; after a redirect to another origin credentials are not sent";
    402 "Payment Required", "RFC 9110, 15.5.3", Site:
        "Reserved by the standard; hosts and APIs send it for a suspended account, an unpaid bill or a used-up quota."
        "the hosting account and its bills, the API's plan";
    403 "Forbidden", "RFC 9110, 15.5.4", Protection:
        "The server understood and refuses. Either this page is closed to everybody, or a firewall or bot filter takes the monitor for a robot."
        "whether a browser gets in; if so, let the monitor's address or User-Agent through the firewall; if not, file permissions and access rules";
    404 "Not Found", "RFC 9110, 15.5.5", Site:
        "There is no page at this address: moved, deleted, misspelt, or the server serves another site's directory."
        "the last deployment, rewrite rules, the document root, the monitor's url";
    405 "Method Not Allowed", "RFC 9110, 15.5.6", Request:
        "The page exists and does not take this method; Allow says which it takes."
        "the monitor's method: GET where HEAD or POST is refused";
    406 "Not Acceptable", "RFC 9110, 15.5.7", Request:
        "The server has no version that fits the Accept headers. The monitor accepts everything by default; some firewalls send this to robots."
        "Accept, Accept-Language and Accept-Encoding in the monitor's headers; mod_security's log";
    407 "Proxy Authentication Required", "RFC 9110, 15.5.8", Network:
        "The proxy on our side wants credentials. The site was not reached."
        "the monitor's `proxy`, with user and password in it";
    408 "Request Timeout", "RFC 9110, 15.5.9", Server:
        "The server waited too long for the request. The monitor sends it at once, so the server or the network was too busy to read it."
        "load, worker and connection limits, packet loss on the way";
    409 "Conflict", "RFC 9110, 15.5.10", Request:
        "The request contradicts the state of the thing it is for, as when two edit at once. Rare for GET."
        "what a monitor with POST or PUT changes at each check";
    410 "Gone", "RFC 9110, 15.5.11", Site:
        "There was a page here and it was taken away for good, on purpose."
        "whether the monitor is still wanted; its url";
    411 "Length Required", "RFC 9110, 15.5.12", Request:
        "The server wants a Content-Length."
        "the monitor's method and body; the proxy on the way";
    412 "Precondition Failed", "RFC 9110, 15.5.13", Request:
        "A condition in the request's headers does not hold."
        "If-Match and If-Unmodified-Since in the monitor's headers; mod_security answers robots with it as well";
    413 "Content Too Large", "RFC 9110, 15.5.14", Request:
        "The request's body is larger than the server takes."
        "the monitor's body; client_max_body_size and the like";
    414 "URI Too Long", "RFC 9110, 15.5.15", Site:
        "The URL is longer than the server takes. Mostly the end of a redirect chain that adds to the query at each hop."
        "the redirect chain of the check, for a Location that grows";
    415 "Unsupported Media Type", "RFC 9110, 15.5.16", Request:
        "The server does not take this type of body."
        "Content-Type in the monitor's headers";
    416 "Range Not Satisfiable", "RFC 9110, 15.5.17", Request:
        "The part that was asked for does not exist; the file may have become shorter."
        "Range in the monitor's headers; whether the file is empty";
    417 "Expectation Failed", "RFC 9110, 15.5.18", Request:
        "The server does not do what an Expect header asks for."
        "Expect in the monitor's headers";
    418 "(Unused)", "RFC 9110, 15.5.19", Protection:
        "A joke (\"I'm a teapot\") that is kept from other use. Some protection layers answer robots with it."
        "whether a browser gets in; the bot filter's rules";
    421 "Misdirected Request", "RFC 9110, 15.5.20", Server:
        "This server is not meant to answer for this host name: the name of TLS and the name of the request do not meet on it."
        "virtual hosts and certificates; DNS that leads to the wrong machine";
    422 "Unprocessable Content", "RFC 9110, 15.5.21", Request:
        "The body is well-formed and makes no sense to the application."
        "the monitor's body and query against what the application expects today";
    423 "Locked", "RFC 4918, 11.3", Site:
        "The thing is locked (WebDAV)."
        "who holds the lock";
    424 "Failed Dependency", "RFC 4918, 11.4", Server:
        "Another action that this one needs has failed (WebDAV, and some gateways)."
        "the answer's body, which names the first failure";
    425 "Too Early", "RFC 8470, 5.2", Server:
        "The server will not take a request sent as TLS early data. The monitor sends none; a gateway in front may."
        "0-RTT on the CDN or proxy";
    426 "Upgrade Required", "RFC 9110, 15.5.22", Request:
        "The server wants another protocol, named in Upgrade."
        "whether this port is for WebSocket or HTTP/2 only; expect_status = [426] where that is right";
    428 "Precondition Required", "RFC 6585, 3", Request:
        "The server wants the request to carry a condition (If-Match)."
        "the monitor's method and headers";
    429 "Too Many Requests", "RFC 6585, 4", Protection:
        "The server is alive and finds that we ask too often; Retry-After says when to come back, and sitewatch waits for it up to the interval."
        "the interval; other monitors and users behind the same address; let the monitor through the rate limit";
    431 "Request Header Fields Too Large", "RFC 6585, 5", Site:
        "The request's headers are larger than the server takes. Mostly cookies that a redirect chain piled up."
        "the Set-Cookie headers of the chain; the monitor's headers; cookies = false to compare";
    451 "Unavailable For Legal Reasons", "RFC 7725, 3", Protection:
        "The page is closed for a legal reason, often only for visitors of some countries: the monitor's location may be one."
        "where the monitor stands; the Link header with rel=\"blocked-by\"";
    500 "Internal Server Error", "RFC 9110, 15.6.1", Server:
        "The application failed in a way it has no better word for: an exception, a broken configuration, a missing file."
        "the application's error log at that moment, the last deployment, disk space, the database";
    501 "Not Implemented", "RFC 9110, 15.6.2", Server:
        "The server does not know the request's method at all."
        "the monitor's method: GET where HEAD is not known; the server's modules";
    502 "Bad Gateway", "RFC 9110, 15.6.3", Gateway:
        "The proxy is well and got nothing usable from the application behind it: it is not running, crashed while answering, or speaks another protocol."
        "whether the application runs and listens where the proxy looks; its crash log; the proxy's error log";
    503 "Service Unavailable", "RFC 9110, 15.6.4", Server:
        "The server is there but cannot handle the request now: overload, an attack, planned maintenance. Retry-After, if sent, says when to come back; sitewatch shows it."
        "load and connection limits, the proxy's view of its backends, a deployment in progress";
    504 "Gateway Timeout", "RFC 9110, 15.6.5", Gateway:
        "The proxy is well and the application behind it did not answer in time."
        "slow queries and exhausted workers of the application; the network between proxy and application; the proxy's time limits";
    505 "HTTP Version Not Supported", "RFC 9110, 15.6.6", Server:
        "The server refuses this version of HTTP; sitewatch speaks HTTP/1.1."
        "the server's protocol settings; a space in the url, which some servers answer like this";
    506 "Variant Also Negotiates", "RFC 2295, 8.1", Server:
        "The server's content negotiation leads in a circle: a configuration error."
        "type maps and MultiViews";
    507 "Insufficient Storage", "RFC 4918, 11.5", Server:
        "The server cannot store what the request needs: disk full or quota used up."
        "disk space and quotas";
    508 "Loop Detected", "RFC 5842, 7.2", Server:
        "The server found itself in an endless loop. Shared hosts also send it when an account uses up its processes."
        "links and bindings that lead in a circle; the account's resource limits";
    510 "Not Extended", "RFC 2774, 7 (obsolete)", Server:
        "The request lacks an extension that the server wants. Nothing current sends this."
        "the server's configuration";
    511 "Network Authentication Required", "RFC 6585, 6", Network:
        "A network wants a log-in before it lets anybody out: a captive portal stands between the monitor and all sites. No site sends this."
        "the network that the monitor is in; other monitors will show the same";
}
