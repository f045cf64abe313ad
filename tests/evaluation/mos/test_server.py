"""The server over HTTP: what it serves, and that hostile input changes and shows nothing."""

import json
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys

import pytest

from nwt_tf.evaluation.mos import server
from tests.evaluation.mos.serving import ROOT, Serving
from tests.evaluation.mos.small_survey import (
    HUMAN,
    make_study,
    make_survey,
    right_answer,
    write_survey,
)

SURVEY = make_survey(title="</script><script>alert(1)</script>")
TOKEN = "0123456789abcdef" * 2
NASTY = (
    "../../etc/passwd",
    "'; DROP TABLE raters; --",
    "' OR '1'='1",
    '" OR 1=1 --',
    "<script>document.title='broken'</script>",
    "<img src=x onerror=alert(1)>",
    "%00",
    "\u202e日本\ud83d\ude00",
    "A" * 3000,
    "{{7*7}}",
    "${7*7}",
    "\r\nSet-Cookie: a=b",
    "=cmd|' /C calc'!A0",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("mos") / "survey", SURVEY)


@pytest.fixture(scope="module")
def serving(folder):
    with Serving(folder) as serving:
        yield serving


@pytest.fixture(scope="module")
def joined(serving):
    body = HUMAN | {"token": TOKEN, "consent": True, "experiment": "overall", "worker": "W1"}
    assert serving.json("POST", "/api/join", body) == (200, {"qualified": True})
    return TOKEN


@pytest.fixture(scope="module")
def admin(folder, serving):
    path = folder / "admin_token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path.read_text().strip()


def content(folder):
    """All that is stored."""
    connection = sqlite3.connect(folder / "answers.sqlite")
    tables = ("raters", "sections", "items")
    rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    connection.close()
    return rows


def test_pages_and_clips(serving, folder):
    status, headers, text = serving.ask("GET", "/")
    assert status == 200 and "text/html" in headers["content-type"]
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff" and "server" not in headers
    assert "<script>alert" not in text and "\\u003c/script>" in text
    assert not re.search(r'(src|href)="(https?:)?//', text)
    for name in ("page.css", "shared.js", "player.js", "survey.js", "admin.js"):
        status, _, text = serving.ask("GET", f"/pages/{name}")
        assert status == 200 and not re.search(r"https?://", text)
        assert "innerHTML" not in text and "eval(" not in text
    assert serving.ask("GET", "/admin")[0] == 200
    name = SURVEY.stimuli[0].name
    status, headers, text = serving.ask("GET", f"/clips/{name}", headers={"Range": "bytes=0-3"})
    assert (status, text) == (206, "clip") and headers["content-type"] == "video/mp4"


def test_pages_tell_nothing_about_what_is_shown(serving, folder):
    for page in (folder / "pages").iterdir():
        text = page.read_text()
        assert not any(s.name in text or s.clip in text for s in SURVEY.stimuli), page


@pytest.mark.parametrize(
    "path",
    [
        "/survey.json",
        "/answers.sqlite",
        "/admin_token",
        "/docs",
        "/openapi.json",
        "/pages/",
        "/pages/../survey.json",
        "/pages/..%2fsurvey.json",
        "/pages/%2e%2e/admin_token",
        "/pages/..%5c..%5cadmin_token",
        "/clips/../survey.json",
        "/clips/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/clips//etc/passwd",
        "/clips/%2fetc%2fpasswd",
        "//etc/passwd",
        "/clips/%00",
        "/clips/" + "a" * 5000,
        "/clips/<script>alert(1)</script>".replace("<", "%3C").replace(">", "%3E"),
    ],
)
def test_only_known_files_are_served(serving, path):
    status, _, text = serving.ask("GET", path)
    assert status == 404
    assert "root:" not in text and "stimuli" not in text and "alert" not in text


@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_text_in_every_field(serving, folder, joined, admin, nasty):
    before = content(folder)
    good = HUMAN | {"token": "fe" * 16, "consent": True, "experiment": "", "worker": ""}
    requests = [
        ("POST", "/api/join", good | {field: nasty}, None)
        for field in ("token", "consent", "devices", "hearing", "experiment", "worker")
    ]
    requests += [("POST", "/api/join", good | {"devices": [nasty]}, None)]
    answer = {"section": 1, "position": 0, "answer": 1}
    requests += [("POST", "/api/answer", answer | {field: nasty}, joined) for field in answer]
    requests += [("POST", "/api/finish", {"section": nasty}, joined)]
    requests += [("POST", "/api/finish", {nasty: nasty}, joined)]
    for method, path, body, token in requests:
        status, _, text = serving.ask(method, path, body, token)
        assert status in (409, 413, 422), (path, body)
        assert nasty not in text and "Traceback" not in text
    # A language is compared, not kept: another one does not qualify.
    status, _, text = serving.ask("POST", "/api/join", good | {"language": nasty})
    assert status in (200, 422) and "true" not in text and nasty not in text
    if nasty.isascii() and nasty.isprintable() and len(nasty) < 90:
        for path in ("/api/next", "/api/answer"):
            assert serving.ask("POST", path, answer, nasty)[0] == 401
        assert serving.ask("GET", "/api/me", token=nasty)[0] == 401
        assert serving.ask("DELETE", "/api/me", token=nasty)[0] == 401
    assert content(folder) == before


@pytest.mark.parametrize(
    "body",
    [
        {"section": 1.5, "position": 0, "answer": 1},
        {"section": True, "position": 0, "answer": 1},
        {"section": 10**30, "position": 0, "answer": 1},
        {"section": -1, "position": 0, "answer": 1},
        {"section": 1, "position": 0, "answer": 0},
        {"section": 1, "position": 0, "answer": 6},
        {"section": 1, "position": 0, "answer": None},
        {"section": 1, "position": 0, "answer": [1]},
        {"section": 1, "position": 0},
        {"section": 1, "position": 0, "answer": 1, "extra": 1},
        [],
        [[[[[[]]]]]],
    ],
)
def test_answers_of_another_shape(serving, folder, joined, body):
    before = content(folder)
    assert serving.ask("POST", "/api/answer", body, joined)[0] == 422
    assert content(folder) == before


def test_bodies_that_are_too_large_or_no_json(serving, folder, joined):
    before = content(folder)
    for size in (5000, 1 << 20):
        status, _, text = serving.ask("POST", "/api/answer", "x" * size, joined)
        assert status == 413 and "too large" in text
    chunks = (b"x" * 1000 for _ in range(20))  # a body of unknown length
    assert serving.ask("POST", "/api/answer", chunks, joined)[0] == 413
    json_type = {"Content-Type": "application/json"}
    for text in ("", "{", "[" * 2000, "nul", '{"section": NaN}', "\x00"):
        assert serving.ask("POST", "/api/answer", text, joined, json_type)[0] in (400, 422)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=30) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")
        assert b" 400 " in raw.recv(4096).split(b"\r\n")[0]
    assert serving.ask("PUT", "/api/answer", {})[0] == 405
    assert content(folder) == before


def test_other_websites_are_refused(serving, folder):
    before = content(folder)
    body = HUMAN | {"token": "ab" * 16, "consent": True, "experiment": "", "worker": ""}
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site, "Content-Type": "application/json"}
        status, headers, text = serving.ask("POST", "/api/join", body, headers=headers)
        assert status == 403 and "Another website" in text
        assert headers["cache-control"] == "no-store" and "content-security-policy" in headers
    assert content(folder) == before


def test_forged_identities(serving, folder, joined, admin):
    rater = serving.json("GET", "/api/me", token=joined)[1]["rater"]
    before = content(folder)
    forged = (rater, "", "0" * 32, TOKEN.upper(), TOKEN + "0", TOKEN[:-1], admin, "Bearer " + TOKEN)
    for token in forged:
        assert serving.ask("POST", "/api/next", token=token)[0] == 401
        assert serving.ask("GET", "/api/me", token=token)[0] == 401
        assert serving.ask("DELETE", "/api/me", token=token)[0] == 401
    assert serving.ask("POST", "/api/next")[0] == 401
    assert content(folder) == before


def test_admin_needs_its_token(serving, folder, joined, admin):
    rater = serving.json("GET", "/api/me", token=joined)[1]["rater"]
    paths = [
        ("GET", "/api/admin/progress"),
        ("GET", "/api/admin/ratings.csv"),
        ("DELETE", f"/api/admin/raters/{rater}"),
    ]
    for method, path in paths:
        for token in (None, "", joined, admin[:-1], admin + "0", admin.upper() + "é"):
            header = {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
            status, _, text = serving.ask(method, path, headers=header)
            assert status == 401 and rater not in text
    assert serving.ask("GET", f"/api/admin/progress?token={admin}")[0] == 401
    assert serving.json("GET", "/api/admin/progress", token=admin)[1]["target"] == 3
    assert (
        serving.ask(
            "DELETE", "/api/admin/raters/nobody' OR '1'='1".replace(" ", "%20"), token=admin
        )[0]
        == 404
    )
    assert serving.json("GET", "/api/me", token=joined)[0] == 200


def test_a_task_over_http_and_its_erasure(serving, folder, admin):
    token = "77" * 16
    body = HUMAN | {"token": token, "consent": True, "experiment": "lipsync", "worker": "ERASE-ME"}
    assert serving.json("POST", "/api/join", body | {"consent": False})[0] == 422
    assert serving.json("POST", "/api/join", body | {"language": "Dutch"})[1] == {
        "qualified": False
    }
    assert serving.json("POST", "/api/next", token=token)[0] == 401
    serving.json("POST", "/api/join", body)
    for step in ("setup", "training", "rating"):
        due = serving.json("POST", "/api/next", token=token)[1]
        assert due["step"] == step
        for position, item in enumerate(due["items"]):
            click = {"section": due["section"], "position": position}
            click["answer"] = right_answer(SURVEY, item["videos"])
            assert serving.json("POST", "/api/answer", click, token) == (200, {"saved": True})
        end = serving.json("POST", "/api/finish", {"section": due["section"]}, token)
        assert end[1]["passed"] and end[0] == 200
    status, _, text = serving.ask("GET", "/api/admin/ratings.csv", token=admin)
    assert status == 200 and text.count("ERASE-ME") == 12
    assert serving.json("DELETE", "/api/me", token=token) == (200, {"erased": True})
    assert serving.json("GET", "/api/me", token=token)[0] == 401
    assert "ERASE-ME" not in serving.ask("GET", "/api/admin/ratings.csv", token=admin)[2]
    stored = b"".join(path.read_bytes() for path in folder.glob("answers.sqlite*"))
    assert b"ERASE-ME" not in stored


def test_an_interrupt_ends_it_cleanly_and_a_taken_port_is_one_line(tmp_path):
    folder = write_survey(tmp_path / "survey", make_survey())
    with Serving(folder) as serving:
        with pytest.raises(AssertionError, match="cannot listen at 127.0.0.1"):
            Serving(folder, serving.port)
        errors = serving.kill(signal.SIGINT)
        assert "Traceback" not in errors and serving.process.returncode in (0, 130)


def test_a_survey_that_is_not_complete(tmp_path):
    survey = make_survey()
    folder = write_survey(tmp_path / "survey", survey)
    (folder / "clips" / survey.stimuli[3].name).unlink()
    study = make_study(folder, survey)
    with pytest.raises(ValueError, match="1 clips or the pages are missing"):
        server.make_app(study, folder, "secret")
    study.store.close()
    (folder / "admin_token").write_text("short")
    with pytest.raises(ValueError, match="holds no secret"):
        server.admin_token(folder)


def test_the_survey_page_holds_what_the_survey_says(folder):
    page = (folder / "pages" / "index.html").read_text()
    facts = json.loads(re.search(r'id="survey">(.*?)</script>', page)[1])
    assert facts["title"] == SURVEY.title and facts["consent"] == list(SURVEY.consent)
    assert (facts["pairs"], facts["right"], facts["practice"], facts["task"]) == (4, 3, 6, 12)
    assert set(facts["experiments"]) == {"overall", "lipsync"}


def test_neither_tensorflow_nor_footage_is_needed():
    script = (
        "import sys; from nwt_tf.evaluation.mos import exchange, pages, plan, report, server\n"
        "heavy = {'tensorflow', 'keras', 'av', 'cv2', 'data_pipeline', 'matplotlib', 'scipy'}\n"
        "print(heavy & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
