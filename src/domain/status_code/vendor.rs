//! Codes that no registry has and that are met all the same. A code alone proves no vendor: the Server header does.

use super::code::{Side, StatusCode};
use super::registered::codes;

codes! {
    218 "This Is Fine", "Apache, mod_proxy", Gateway:
        "A catch-all that lets error bodies of the backend pass under ProxyErrorOverride. What it hides may be an error."
        "the body, by body_contains; the backend's own status in its log";
    419 "Page Expired", "Laravel", Request:
        "The form's CSRF token is missing or too old."
        "a monitor with POST, which would need a fresh token: watch a page by GET instead";
    420 "Enhance Your Calm", "Twitter, some APIs", Protection:
        "We ask too often; an early form of 429."
        "the interval; let the monitor through the rate limit";
    430 "Security Rejection", "Shopify", Protection:
        "The request was taken for an attack or came too often."
        "the interval; the shop's bot protection";
    440 "Login Time-out", "Microsoft IIS", Request:
        "The session has expired and a new log-in is needed."
        "the monitor's credentials; watch a page that needs none";
    444 "No Response", "nginx", Protection:
        "nginx was told to close the connection without an answer, mostly for unknown host names and robots. Clients see a closed connection (closed_early); the code stands in nginx's log."
        "`return 444` in nginx's configuration; server_name; rules on User-Agent";
    449 "Retry With", "Microsoft IIS", Request:
        "The server wants more information from the client before it answers."
        "the monitor's headers and query";
    450 "Blocked by Windows Parental Controls", "Microsoft", Network:
        "A filter on our side of the network blocked the page."
        "the network that the monitor is in";
    460 "Client Closed Connection", "AWS load balancer", Gateway:
        "The client left before the load balancer had an answer, so it waited too long. It stands in the balancer's log rather than in an answer."
        "latency of the targets; the monitor's timeout against the balancer's idle timeout";
    463 "Too Many Forwarded Addresses", "AWS load balancer", Request:
        "X-Forwarded-For holds more than 30 addresses."
        "proxies that forward to each other in a circle; the monitor's headers";
    464 "Incompatible Protocol", "AWS load balancer", Gateway:
        "The request's protocol does not fit the target group's."
        "the target group's protocol version";
    494 "Request Header Too Large", "nginx", Site:
        "The request's header is larger than nginx takes; sent to clients as 400. Mostly cookies that a redirect chain piled up."
        "large_client_header_buffers; the Set-Cookie headers of the chain";
    495 "SSL Certificate Error", "nginx", Request:
        "The client certificate was refused; sent to clients as 400."
        "client_certificate of the monitor: its end, its issuer";
    496 "SSL Certificate Required", "nginx", Request:
        "The server wants a client certificate and got none; sent to clients as 400."
        "client_certificate of the monitor";
    497 "HTTP Request Sent to HTTPS Port", "nginx", Request:
        "Plain HTTP came to a port that speaks TLS; sent to clients as 400."
        "the monitor's url: https instead of http; a redirect with the wrong scheme or port";
    498 "Invalid Token", "Esri", Request:
        "The token has expired or is wrong."
        "bearer_token_file or the headers of the monitor";
    499 "Client Closed Request", "nginx; with Esri: token required", Gateway:
        "nginx notes it when the client leaves before the answer is ready: the application took longer than the client's patience."
        "latency of the application; the monitor's timeout";
    509 "Bandwidth Limit Exceeded", "Apache, cPanel", Site:
        "The hosting account has used up its traffic."
        "the hosting account and its limits";
    520 "Web Server Returns an Unknown Error", "Cloudflare", Gateway:
        "Cloudflare is well; the origin server answered something that makes no sense: empty, cut or with too large headers."
        "the origin's error log; its headers; crashes while answering";
    521 "Web Server Is Down", "Cloudflare", Gateway:
        "Cloudflare is well; the origin server refused the connection."
        "whether the origin's web server runs; a firewall there that blocks Cloudflare's addresses";
    522 "Connection Timed Out", "Cloudflare", Gateway:
        "Cloudflare is well; the origin server did not take the connection in time."
        "the origin's load and firewall; its address in Cloudflare's DNS settings";
    523 "Origin Is Unreachable", "Cloudflare", Gateway:
        "Cloudflare is well and finds no way to the origin server."
        "the origin's address in Cloudflare's DNS settings; routing";
    524 "A Timeout Occurred", "Cloudflare", Gateway:
        "Cloudflare is well; the origin took the connection and did not answer within about 100 seconds."
        "slow queries and exhausted workers of the origin";
    525 "SSL Handshake Failed", "Cloudflare", Gateway:
        "Cloudflare is well; TLS between Cloudflare and the origin failed. The certificate that visitors see is not concerned."
        "the origin's certificate, port 443 and cipher settings; Cloudflare's SSL mode";
    526 "Invalid SSL Certificate", "Cloudflare", Gateway:
        "Cloudflare is well; the origin's certificate has expired, is for another name or comes from an unknown issuer. The one that visitors see is not concerned."
        "the origin's certificate; Cloudflare's SSL mode (strict)";
    527 "Railgun Error", "Cloudflare (retired)", Gateway:
        "Cloudflare's Railgun lost its connection to the origin."
        "Railgun is retired: remove it";
    529 "Site Is Overloaded", "Qualys, some APIs", Server:
        "The service is overloaded; as 503."
        "load; the provider's status page";
    530 "Origin Error", "Cloudflare, with a 1xxx error in the body; Pantheon: site frozen", Gateway:
        "Cloudflare is well; the body names the reason, mostly 1016: the origin's name has no address."
        "the number in the body; the origin's DNS entry";
    540 "Temporarily Disabled", "Shopify", Site:
        "The shop is disabled for now."
        "the shop's account";
    561 "Unauthorized", "AWS load balancer", Gateway:
        "The load balancer asked an identity provider, which answered with an error."
        "the listener's authentication action; the identity provider";
    598 "Network Read Timeout", "some proxies", Gateway:
        "A proxy waited too long for data from behind it."
        "latency behind the proxy";
    599 "Network Connect Timeout", "some proxies", Gateway:
        "A proxy waited too long for a connection to what is behind it."
        "whether the backend runs; the network between proxy and backend";
    783 "Unexpected Token", "Shopify", Request:
        "The request holds a JSON syntax error."
        "the monitor's body";
    999 "Request Denied", "LinkedIn", Protection:
        "The site turns robots away; browsers get in."
        "another way to watch it: such sites do not want to be watched";
}
