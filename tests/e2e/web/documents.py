"""Reads a feed and badges as a program would: XML, RFC 4287, SVG."""
import sys
import xml.etree.ElementTree as tree

ATOM = "{http://www.w3.org/2005/Atom}"
feed = tree.parse(sys.argv[1]).getroot()
assert feed.tag == ATOM + "feed", feed.tag
for name in ("id", "title", "updated"):
    assert len(feed.findall(ATOM + name)) == 1, f"the feed has one {name}"
links = {link.get("rel"): link.get("href") for link in feed.findall(ATOM + "link")}
assert links["self"].endswith("/feed.atom") and links["self"].startswith("http"), links
entries = feed.findall(ATOM + "entry")
assert entries, "there are incidents"
ids = [entry.findtext(ATOM + "id") for entry in entries]
assert len(set(ids)) == len(ids), "ids are unique"
for entry in entries:
    for name in ("id", "title", "updated", "published", "content"):
        assert entry.findtext(ATOM + name), f"an entry has {name}"
assert any("<script>" in entry.findtext(ATOM + "title") for entry in entries), "hostile names come back whole"
for path in sys.argv[2:]:
    badge = tree.parse(path).getroot()
    assert badge.tag == "{http://www.w3.org/2000/svg}svg", badge.tag
    assert badge.get("role") == "img" and badge.get("aria-label"), "a badge has a name"
    assert not badge.findall(".//{http://www.w3.org/2000/svg}script"), "a badge runs nothing"
print(f"{len(entries)} entries, {len(sys.argv) - 2} badges")
