//! What a web server or reverse proxy of this machine serves.

use super::*;

fn urls(imported: &Imported) -> String {
    let config = loaded(imported);
    let urls: Vec<String> = config
        .monitors
        .iter()
        .map(|monitor| monitor.subject.url_text().to_string())
        .collect();
    urls.join(" ")
}

#[test]
fn nginx() {
    let main = r#"
user www-data;
http {
  include mime.types;
  include sites-enabled/*;
  log_format main '$remote_addr { "quoted; }';
  server { listen 80 default_server; server_name _; return 404; }
  upstream backend { server 10.0.0.1:8080; }
}
stream { server { listen 5432; proxy_pass db.example:5432; } }
"#;
    let beside = |pattern: &str| {
        match pattern {
        "sites-enabled/*" => vec![Source {
            name: "sites-enabled/all".to_owned(),
            text: (
            "server {\n  listen 80;\n  server_name shop.example www.shop.example; # both\n  return 301 https://$host$request_uri;\n}\n\
             server {\n  listen 443 ssl http2;\n  listen [::]:443 ssl;\n  server_name shop.example;\n  location / { if ($x = \"}\") { return 200; } }\n}\n\
             server { listen 127.0.0.1:8080; server_name api.example *.wild.example ~^re\\d+$ intern; }\n\
             server { server_name plain.example; }\n"
            ).to_owned(),
        }],
        _ => Vec::new(),
    }
    };
    let imported = import::nginx(&[source(main)], &beside).unwrap();
    assert_eq!(
        urls(&imported),
        "http://api.example:8080/ http://plain.example/ https://shop.example/ http://www.shop.example/"
    );
    assert_eq!(
        imported.left_out,
        [
            "not checked (a pattern or a name without a domain stands for no one host): *.wild.example, intern",
            "not checked (a pattern stands for no one host): ~^re\\d+$",
        ]
    );
    // A file that includes itself is read once.
    let around = |_: &str| {
        vec![Source {
            name: "a".to_owned(),
            text: "include a; server { server_name a.example; }".to_owned(),
        }]
    };
    let imported = import::nginx(&[source("include a;")], &around).unwrap();
    assert_eq!(urls(&imported), "http://a.example/");
}

#[test]
fn caddy() {
    let text = "{\n\temail kim@example.com\n}\n(snippet) {\n\tlog\n}\nshop.example, www.shop.example {\n\timport snippet\n\thandle /api/* {\n\t\treverse_proxy localhost:9000\n\t}\n}\nhttp://plain.example {\n}\n:8080 {\n}\n*.wild.example {\n}\nadmin.example:8443/panel* {\n}\n";
    let imported = import::caddy(&[source(text)]).unwrap();
    assert_eq!(
        urls(&imported),
        "https://admin.example:8443/panel http://plain.example/ https://shop.example/ https://www.shop.example/"
    );
    assert_eq!(imported.left_out.len(), 1);
}

#[test]
fn traefik() {
    let compose = "
services:
  shop:
    labels:
      - \"traefik.enable=true\"
      - \"traefik.http.routers.shop.rule=Host(`shop.example`) || Host(`www.shop.example`)\"
      - traefik.http.routers.shop.tls.certresolver=le
      - traefik.http.routers.plain.rule=Host(`plain.example`) && PathPrefix(`/api`)
      - traefik.http.routers.plain.entrypoints=web
  off:
    labels:
      traefik.enable: \"false\"
      traefik.http.routers.off.rule: Host(`off.example`)
  variable:
    labels:
      traefik.http.routers.v.rule: Host(`${DOMAIN}`)
";
    let imported = import::traefik(&[source(compose)]).unwrap();
    assert_eq!(
        urls(&imported),
        "http://plain.example/api https://shop.example/ https://www.shop.example/"
    );
    assert_eq!(imported.left_out.len(), 1, "{:?}", imported.left_out);

    let dynamic = "http:\n  routers:\n    a:\n      rule: \"Host(`a.example`, `b.example`)\"\n      entryPoints: [websecure]\n      service: s\n";
    assert_eq!(
        urls(&import::traefik(&[source(dynamic)]).unwrap()),
        "https://a.example/ https://b.example/"
    );
    let toml = Source {
        name: "dynamic.toml".to_owned(),
        text: "[http.routers.a]\nrule = \"Host(`a.example`)\"\n[http.routers.a.tls]\n".to_owned(),
    };
    assert_eq!(
        urls(&import::traefik(&[toml]).unwrap()),
        "https://a.example/"
    );
    let route = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nspec:\n  entryPoints: [web]\n  routes:\n  - match: Host(`a.example`) && PathPrefix(`/x`)\n    kind: Rule\n  tls: {secretName: s}\n";
    assert_eq!(
        urls(&import::traefik(&[source(route)]).unwrap()),
        "https://a.example/x"
    );
    let pattern = "rule: HostRegexp(`{sub:.+}.example`)";
    let imported = import::traefik(&[source(pattern)]).unwrap();
    assert_eq!((imported.monitors, imported.left_out.len()), (0, 1));
}
