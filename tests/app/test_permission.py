"""What a page may be allowed: never more than was listed, whatever a page reports."""

from __future__ import annotations

import pytest

from app.preview import policy
from app.preview.order import Order
from app.preview.permission import MAX_ORIGINS, Grant, Permission, grant_of
from app.preview.refused import refused_of
from app.views.allow_row import few
from engine.render.policy import CHROMIUM_FLAGS, document_csp


def permission(*reports: tuple[str, str], scripts: bool = True) -> Permission:
    return Permission.of(refused_of([{"kind": kind, "uri": uri} for kind, uri in reports]), scripts)


def test_hosts_kinds_and_ports_are_those_reported() -> None:
    made = permission(
        ("style-src-elem", "https://fonts.example/css?family=A"),
        ("img-src", "http://127.0.0.1:8000/a.png"),
        ("font-src", "https://cdn.example:8443/f.woff2"),
    )
    assert made.grants == {
        Grant("style-src", "https", "fonts.example", 443),
        Grant("img-src", "http", "127.0.0.1", 8000),
        Grant("font-src", "https", "cdn.example", 8443),
    }
    assert made.hosts == ["127.0.0.1:8000", "cdn.example:8443", "fonts.example"]
    assert made.allows("style-src", "https://fonts.example/other.css")
    assert not made.allows("img-src", "https://fonts.example/a.png")
    assert not made.allows("style-src", "http://fonts.example/css")
    assert not made.allows("img-src", "http://127.0.0.1:8001/a.png")
    assert not made.allows("", "http://127.0.0.1:8000/a.png")


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("frame-src", "https://a.example/"),
        ("object-src", "https://a.example/"),
        ("worker-src", "https://a.example/"),
        ("form-action", "https://a.example/"),
        ("default-src", "https://a.example/"),
        ("img-src", "file:///etc/passwd"),
        ("img-src", "ftp://a.example/"),
        ("connect-src", "ws://a.example/"),
        ("connect-src", "wss://a.example/"),
        ("img-src", "preview://doc/shell"),
        ("img-src", "https://"),
        ("img-src", "https://a.example:99999/"),
        ("img-src", "https://*.example/"),
        ("img-src", "https://a.example; script-src */"),
        ("img-src", "https://a.example, EXCLUDE */"),
        ("img-src", 'https://a.example" --no-sandbox "/'),
        ("img-src", "https://a..example/"),
        ("img-src", "https://" + "a." * 140 + "example/"),
        ("img-src", "https://" + "a" * 70 + "/"),
        ("img-src", "https://[::1]/"),
        ("img-src", "https://[::1;x]/"),
    ],
)
def test_never_granted(kind: str, uri: str) -> None:
    assert grant_of(kind, uri) is None
    assert not permission((kind, uri)).grants


def test_user_names_and_case_are_no_part_of_an_origin() -> None:
    assert grant_of("img-src", "https://user:word@CDN.example/") == Grant(
        "img-src", "https", "cdn.example", 443
    )


def test_policy_grows_by_the_origins_alone() -> None:
    made = permission(("img-src", "https://cdn.example/a"), ("connect-src", "http://api.example/"))
    usual, grown = (
        dict(part.partition(" ")[::2] for part in text.split("; "))
        for text in (document_csp(True), made.csp(True))
    )
    assert grown.pop("img-src") == f"{usual.pop('img-src')} https://cdn.example:443"
    assert grown.pop("connect-src") == "http://api.example:80"
    assert usual.pop("connect-src") == "'none'"
    assert grown == usual
    assert grown["sandbox"] == "allow-scripts"
    assert Permission().csp(True) == document_csp(True)


def test_scripts_that_are_off_are_not_loaded_either() -> None:
    reports = (("script-src-elem", "https://cdn.example/x.js"), ("img-src", "https://img.example/"))
    made = permission(*reports, scripts=False)
    assert made.hosts == ["img.example"]
    assert "script-src 'none'" in made.csp(False)
    assert permission(*reports).hosts == ["cdn.example", "img.example"]


def test_flags_open_the_origins_alone() -> None:
    flags = permission(
        ("img-src", "http://127.0.0.1:8000/"), ("img-src", "https://b.example/")
    ).flags()
    assert '--proxy-bypass-list="<-loopback>;http://127.0.0.1:8000;https://b.example:443"' in flags
    rules = "MAP 127.0.0.1:8000 127.0.0.1:8000, MAP b.example:443 b.example:443, MAP * ~NOTFOUND"
    assert f'--host-resolver-rules="{rules}"' in flags
    for flag in CHROMIUM_FLAGS[:2]:
        assert flag in flags


def test_a_page_that_wants_hundreds_of_hosts_gets_the_first() -> None:
    made = permission(*(("img-src", f"https://h{n:03}.example/") for n in range(190)))
    assert made.hosts == [f"h{n:03}.example" for n in range(MAX_ORIGINS)]


def test_hosts_are_named_as_far_as_there_is_room() -> None:
    hosts = [f"h{n}.example" for n in range(5)]
    assert few(hosts[:1]) == "h0.example"
    assert few(hosts) == "h0.example and 4 more"
    assert few(hosts, 5) == "h0.example, h1.example, h2.example, h3.example, h4.example"
    assert few(hosts, 3) == "h0.example, h1.example, h2.example and 2 more"
    assert few(["a" * 90 + ".example"]).endswith("aaa.example")
    assert len(few(["a" * 90 + ".example"])) <= 40


def test_order_goes_through_a_pipe_and_comes_out_the_same() -> None:
    made = permission(("img-src", "https://cdn.example/"), ("font-src", "http://127.0.0.1:80/"))
    order = Order("<p>ä\n</p>", made, True, False, 768, (768, 640))
    assert order.line().count(b"\n") == 1
    assert Order.read(order.line()) == order


@pytest.mark.parametrize("line", [b"", b"x", b"[]", b"{}", b'{"html": ""}', b"null"])
def test_what_is_no_order_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Order.read(line)


def test_order_grants_nothing_that_a_report_could_not() -> None:
    line = Order("", Permission(), True, False, 0, (1, 1)).line()
    wide = line.replace(b'"grants": []', b'"grants": [{"kind": "img-src", "uri": "https://*/"}]')
    assert wide != line
    assert Order.read(wide).permission == Permission()


def test_flags_of_the_application_are_taken_out_of_an_environment() -> None:
    environment = {policy.FLAGS_VARIABLE: "--disable-gpu"}
    policy.set_chromium_flags(environment)
    assert "socks5" in environment[policy.FLAGS_VARIABLE]
    left = policy.without_flags(environment[policy.FLAGS_VARIABLE]).split()
    assert [flag for flag in left if flag != "--no-sandbox"] == ["--disable-gpu"]
