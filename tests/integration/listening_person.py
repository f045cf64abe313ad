"""Someone who takes a listening test in a browser, by script."""

import json

# Clips play at eight times their speed.
FAST = """HTMLMediaElement.prototype.play = ((play) => function () {
  this.playbackRate = 8; return play.call(this); })(HTMLMediaElement.prototype.play);"""


def heading(browser, text):
    browser.wait(f"document.querySelector('#main h1')?.textContent === {json.dumps(text)}")


class Person:
    """A rater at the browser.

    Args:
        browser: whose storage is emptied.
        survey: tells what is shown, as ears and eyes would.
        url: of the server.
        opinion: score for what is shown (a Stimulus), except for pairs.
        taps: uses the pointer instead of the keys.
    """

    def __init__(self, browser, survey, url, opinion, taps=False):
        self.browser, self.survey, self.opinion, self.taps = browser, survey, opinion, taps
        browser.open(url)
        browser("localStorage.clear()")
        browser.open(url)

    def join(self):
        heading(self.browser, "Watch short videos, say how natural they are")
        assert self.browser("document.querySelector('#begin').disabled")
        self.browser.click("#agree")
        self.browser.click("#begin")
        heading(self.browser, "Three questions first")
        self.browser("document.querySelector('select').value = 'English'")
        self.browser.click("input[value=over_ear]")
        self.browser.click("input[value=normal]")
        self.browser.click("form button.main")

    def start(self, title):
        heading(self.browser, title)
        if self.taps:
            self.browser.click("#main button.main")
        else:
            self.browser.keys("Enter")

    def answer(self):
        """Watches what is shown, answers, and goes on; returns (what was shown, the answer)."""
        browser = self.browser
        browser.wait("[...document.querySelectorAll('#main video')].some((v) => v.readyState > 1)")
        names = browser("[...document.querySelectorAll('#main video')].map((v) => v.src)")
        assert browser("document.querySelector('.scores').disabled")
        browser.keys("2", "b", "Enter")  # too early: nothing happens
        for number in range(len(names)):
            if self.taps:
                browser.click(f"figure:nth-of-type({number + 1}) .play")
            else:
                browser.keys(" ")
            button = f"document.querySelectorAll('#main .play')[{number}]"
            browser.wait(f"{button}.textContent.endsWith('again')")
        shown = [self.survey.by_name[name.rsplit("/", 1)[-1]] for name in names]
        if len(shown) == 2:
            answer = 1 if shown[0].better else 2
        else:
            answer = self.opinion(shown[0])
        if self.taps:
            browser.click(f".scores label:nth-of-type({answer})")
        else:
            browser.keys("ab"[answer - 1] if len(shown) == 2 else str(answer))
        browser.wait("!document.querySelector('#next').disabled")
        return shown[0], answer

    def go_on(self):
        before = self.browser("document.querySelector('#main video').src")
        if self.taps:
            self.browser.click("#next")
        else:
            self.browser.keys("Enter")
        self.browser.wait(f"document.querySelector('#main video')?.src !== {json.dumps(before)}")

    def section(self, title, count, between=lambda position, answer: None):
        """A section's questions; returns [(what was shown, the answer)]."""
        self.start(title)
        answers = []
        for position in range(count):
            text = self.browser("document.querySelector('.count').textContent")
            assert text.endswith(f"{position + 1} of {count}")
            answers.append(self.answer())
            between(position, answers[-1][1])
            self.go_on()
        return answers

    def take_part(self, between=lambda position, answer: None):
        self.join()
        self.section("Check of your headphones and screen", 4)
        self.start("Well done")
        self.section("Practice", 6)
        answers = self.section("Rating", 12, between)
        heading(self.browser, "Task finished. Thank you!")
        return answers
