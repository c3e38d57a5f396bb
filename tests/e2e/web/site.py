"""Sites to watch: one that is well, one that redirects, one that is broken, one that is slow, one that sends markup."""
import http.server
import socketserver
import sys
import time


class Site(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        status, headers, body = 200, [], b"hello\n"
        if self.path == "/chain":
            status, headers = 301, [("Location", "/chain/2?token=12345&x=<b>")]
        elif self.path.startswith("/chain/2"):
            status, headers = 302, [("Location", "/end")]
        elif self.path == "/503":
            status, headers = 503, [("Retry-After", "120")]
            body = b"<script>alert('body')</script>"
        elif self.path == "/slow":
            time.sleep(0.2)
        elif self.path == "/evil":
            headers = [("X-Evil", "<img src=x onerror=alert(1)>")]
            body = b"</pre><script>alert('evil')</script>"
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512


Server(("127.0.0.1", int(sys.argv[1])), Site).serve_forever()
