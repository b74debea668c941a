"""Words, names, numbers and other texts for generated pages and charts.

Every text that a generator writes is drawn from a `WordSource`, so that one place decides which
words a model may see while it is trained. A tenth of the real words (decided by a hash of the word
alone) is held out: the "train" split never uses them, the "held_out" split draws from all words,
so that about a tenth of its words are new to the model. Interface labels such as "Sign in"
(`LABELS`) are a fixed vocabulary that belongs to both splits.
"""

from __future__ import annotations

import hashlib
import random
import re
import string
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal

Split = Literal["train", "held_out"]

LABELS: Mapping[str, Sequence[str]] = {
    key: tuple(line.split("|"))
    for key, line in {
        "nav": "Home|About|Products|Pricing|Docs|Blog|Contact|Support|Features|Team|"
        "Careers|Shop|News|Events|Help|Gallery|Services|Projects|Portfolio|"
        "Community|Forum|Download|Login|Account|Explore|Learn|Status|Partners",
        "action": "Sign in|Sign up|Get started|Learn more|Read more|Buy now|Add to cart|"
        "Subscribe|Download|Continue|Save|Cancel|Submit|Send|Search|Apply|Delete|"
        "Edit|Share|Follow|Book now|Try it free|Contact us|View all|Upgrade|Next|"
        "Back|Confirm|Register|Log in|Send message|Create account|Start trial|Join|"
        "OK|Update|Reset|Export|Import|Add|Remove|Close|Open|More|Details|Reply|"
        "Invite|Publish|Print|Copy|Upload|Go",
        "field": "Name|Email|Password|Username|Phone|Company|City|Country|Message|Subject|"
        "Address|First name|Last name|Full name|Website|Comment|Postcode|Date|Role|"
        "Budget|Title|Quantity|Language|Category|Notes",
        "menu": "Dashboard|Overview|Settings|Profile|Messages|Inbox|Orders|Customers|Reports|"
        "Analytics|Users|Files|Tasks|Calendar|Billing|Security|Notifications|"
        "Activity|Projects|Teams|Archive|Drafts|Sent|Trash|Favorites|Library|"
        "Invoices|Integrations|General|Appearance|Members|Logs|Usage|History|Log out",
        "stat": "Revenue|Users|Orders|Visitors|Sales|Growth|Sessions|Downloads|Followers|"
        "Projects|Customers|Conversion|Profit|Tickets|Uptime|Members|Views|Clicks|"
        "Likes|Balance|Expenses|Signups|Bounce rate|Reviews",
        "status": "Active|Pending|Paid|Open|Closed|Draft|New|Failed|Done|Shipped|Beta|Sale|"
        "Popular|Offline|Online|Late|In review|Canceled|Live|Paused|Overdue|Free|"
        "Pro|Sold out|Hot|Urgent|Info|Stable",
        "column": "Name|Date|Amount|Status|Price|Quantity|Total|City|Role|Email|Product|"
        "Team|Score|Type|Owner|Size|Country|ID|Rank|Item|Points|Time|Plan|Year|"
        "Code|Stock|Weight|Age|Rate|Region",
        "alert": "Success|Warning|Error|Note|Info|Saved|Done|Heads up|Tip|Important|Notice|"
        "Attention",
        "plan": "Free|Basic|Starter|Pro|Team|Business|Enterprise|Plus|Premium|Standard|"
        "Personal|Growth",
        "option": "Remember me|I agree to the terms|Send me updates|Keep me signed in|"
        "Show password|Dark mode|Notifications|Email alerts|Auto save|Public profile|"
        "Weekly summary|Airplane mode|Location|Backup",
        "link": "Forgot password?|Create an account|Privacy|Terms|Contact|Imprint|Cookies|"
        "Sitemap|Help center|FAQ|Read more|View details|See all|More|Show all|"
        "Learn more|Edit|Unsubscribe|Report a problem",
        "other": "All rights reserved|Previous|Total|Welcome back|Find|Login|Follow|Message|"
        "install|import|kg|cm|KB|MB|M|T|W|F|S",
        "month": "January|February|March|April|May|June|July|August|September|October|"
        "November|December",
        "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
        "greeting": "Hello!|Hi there|Thanks!|See you soon|Good morning|Sounds good|Yes|No problem|"
        "OK|Sure|Great",
    }.items()
}
"""Fixed interface vocabulary by use; never held out."""

_GLUE = tuple(
    word
    for line in (
        "the the the the a a of of of to to and and and in in for is with on by at from as this",
        "that are our your we you it or an be can will all more not its have has was one new",
    )
    for word in line.split()
)
_TOP_LEVEL = ("com", "org", "net", "io", "dev", "co.uk", "de", "fr", "eu", "app")
_SYLLABLES = tuple(
    word
    for line in (
        "ba be bi bo da de do fa fi fo ga go ha hi ka ke ki ko la le li lo lu ma me mi mo na ne",
        "ni no pa pe po ra re ri ro ru sa se si so ta te ti to tu va ve vi vo za ze zo an en in",
        "on ar er or al el is us tra bri cle dro fle gra ple sto",
    )
    for word in line.split()
)
_CURRENCIES = ("${}", "${}", "${}", "€{}", "£{}", "{} €", "{} EUR", "{} USD")


@lru_cache(maxsize=1)
def lexicon() -> tuple[str, ...]:
    """All common lower-case words of the data file, most frequent first."""
    text = resources.files("training.nano").joinpath("data/words.txt").read_text(encoding="utf-8")
    return tuple(
        word for line in text.splitlines() if not line.startswith("#") for word in line.split()
    )


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, ...]]:
    text = resources.files("training.nano").joinpath("data/names.txt").read_text(encoding="utf-8")
    lines = (line.split(":", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {key: tuple(value.split()) for key, value in lines}


@lru_cache(maxsize=1)
def _real_words() -> frozenset[str]:
    names = _names()
    return frozenset(lexicon()) | {
        n.lower() for key in ("first", "last", "place") for n in names[key]
    }


@lru_cache(maxsize=1)
def _fixed_words() -> frozenset[str]:
    labels = " ".join(label for group in LABELS.values() for label in group)
    parts = (
        _names()["brand_start"]
        + _names()["brand_end"]
        + _TOP_LEVEL
        + ("eur", "usd", "www", "shop", "px", "am", "pm")
    )
    months = {month[:3].lower() for month in LABELS["month"]} | {
        day[:3].lower() for day in LABELS["day"]
    }
    return (
        frozenset(re.findall(r"[a-z]+", labels.lower()))
        | set(_GLUE)
        | {p.lower() for p in parts}
        | months
    )


@lru_cache(maxsize=1)
def held_out_words() -> frozenset[str]:
    """Lower-case real words that the "train" split never uses (a tenth, by a hash of the word)."""

    def chosen(word: str) -> bool:
        return hashlib.sha256(word.encode()).digest()[0] % 10 == 0

    return frozenset(w for w in _real_words() - _fixed_words() if len(w) > 2 and chosen(w))


@lru_cache(maxsize=2)
def _pools(split: Split) -> dict[str, tuple[str, ...]]:
    closed = held_out_words() if split == "train" else frozenset()
    pools = {
        key: tuple(n for n in value if n.lower() not in closed) for key, value in _names().items()
    }
    pools["word"] = tuple(w for w in lexicon() if w not in closed and len(w) > 2)
    return pools


class WordSource:
    """Draws texts from a random generator; equal generators and splits give equal texts.

    `rng` is shared with the caller on purpose: one state decides the whole page.
    """

    def __init__(self, rng: random.Random, split: Split = "train") -> None:
        self.rng = rng
        self.split: Split = split
        self._pool = _pools(split)

    def label(self, group: str) -> str:
        """One interface label of a group of `LABELS`."""
        return self.rng.choice(LABELS[group])

    def labels(self, group: str, n: int) -> list[str]:
        """`n` different labels of a group, in random order."""
        return self.rng.sample(LABELS[group], min(n, len(LABELS[group])))

    def word(self) -> str:
        """One lower-case word; frequent words come somewhat more often."""
        pool = self._pool["word"]
        return pool[int(len(pool) * self.rng.random() ** 1.5)]

    def phrase(self, n: int) -> str:
        """`n` lower-case words, glue words ("the", "of") between content words."""
        out: list[str] = []
        while len(out) < n:
            glue = out and len(out) < n - 1 and out[-1] not in _GLUE and self.rng.random() < 0.45
            out.append(self.rng.choice(_GLUE) if glue else self.word())
        return " ".join(out)

    def title(self, n: int | None = None) -> str:
        """A heading of `n` (default 1-4) words, capitalised in one of several ways."""
        n = n or self.rng.choices((1, 2, 3, 4), (2, 4, 3, 2))[0]
        kind = self.rng.random()
        if kind < 0.1:
            return self.brand() if n == 1 else f"{self.place()} {self.phrase(n - 1)}"
        text = self.phrase(n)
        if kind > 0.93:
            return text.upper()
        return text.title() if kind < 0.45 else text[:1].upper() + text[1:]

    def sentence(self, n: int | None = None) -> str:
        """A sentence of `n` (default 5-12) words, now and then with a name, a number or a comma."""
        n = n or self.rng.randint(5, 12)
        words = self.phrase(n).split()
        if n > 4 and self.rng.random() < 0.4:
            extra = self.rng.choice(
                (self.first_name, self.place, self.brand, self.number, self.percent, self.acronym)
            )
            words[self.rng.randrange(1, n)] = extra()
        if n > 6 and self.rng.random() < 0.4:
            words[self.rng.randrange(2, n - 2)] += ","
        text = " ".join(words)
        return text[:1].upper() + text[1:] + self.rng.choices((".", "!", "?"), (18, 1, 1))[0]

    def paragraph(self, n_words: int) -> str:
        """Sentences of about `n_words` words together."""
        out: list[str] = []
        left = n_words
        while left > 0:
            n = left if left <= 9 else self.rng.randint(5, min(12, left - 3))
            out.append(self.sentence(max(n, 2)))
            left -= n
        return " ".join(out)

    def first_name(self) -> str:
        """A first name."""
        return self.rng.choice(self._pool["first"])

    def name(self) -> str:
        """First and last name, sometimes with an initial."""
        last = self.rng.choice(self._pool["last"])
        middle = f" {self.rng.choice(string.ascii_uppercase)}." if self.rng.random() < 0.08 else ""
        return f"{self.first_name()}{middle} {last}"

    def place(self) -> str:
        """The name of a city."""
        return self.rng.choice(self._pool["place"])

    def brand(self) -> str:
        """An invented company or product name."""
        if self.rng.random() < 0.25:
            return self.nonsense().capitalize()
        end = self.rng.choice(self._pool["brand_end"])
        return self._outside(self.rng.choice(self._pool["brand_start"]) + end)

    def nonsense(self) -> str:
        """A pronounceable word that means nothing."""
        return self._outside(
            "".join(self.rng.choice(_SYLLABLES) for _ in range(self.rng.randint(2, 4)))
        )

    def acronym(self) -> str:
        """Two to four capital letters."""
        n = self.rng.randint(2, 4)
        return self._outside("".join(self.rng.choices(string.ascii_uppercase, k=n)))

    def email(self) -> str:
        """An e-mail address."""
        user = self.rng.choice((self.first_name, self.nonsense))().lower()
        return f"{user}@{self.brand().lower()}.{self.rng.choice(_TOP_LEVEL)}"

    def url(self) -> str:
        """A short address without a scheme."""
        start = self.rng.choice(("", "", "www."))
        return f"{start}{self.brand().lower()}.{self.rng.choice(_TOP_LEVEL)}"

    def handle(self) -> str:
        """A user name such as @mira42."""
        digits = str(self.rng.randint(1, 99)) if self.rng.random() < 0.5 else ""
        return f"@{self.first_name().lower()}{digits}"

    def number(self) -> str:
        """A number of up to seven digits: plain, grouped, decimal or short (4.5k)."""
        kind = self.rng.random()
        if kind < 0.4:
            return str(self.rng.randint(0, 10 ** self.rng.randint(1, 4)))
        if kind < 0.6:
            return f"{self.rng.randint(1000, 999999):,}"
        if kind < 0.8:
            return f"{self.rng.uniform(0, 100):.{self.rng.randint(1, 2)}f}"
        return f"{self.rng.uniform(1, 99):.1f}{self.rng.choice('kKM')}"

    def percent(self) -> str:
        """A percentage, sometimes signed."""
        value = self.rng.choice((str(self.rng.randint(0, 100)), f"{self.rng.uniform(0, 100):.1f}"))
        return f"{self.rng.choice(('', '', '', '+', '-'))}{value}%"

    def price(self) -> str:
        """An amount of money."""
        value = self.rng.choice((str(self.rng.randint(1, 999)), f"{self.rng.uniform(1, 200):.2f}"))
        if self.rng.random() < 0.1:
            value = f"{self.rng.randint(1000, 99999):,}"
        return self.rng.choice(_CURRENCIES).format(value)

    def date(self) -> str:
        """A date in one of several notations."""
        day, month, year = (
            self.rng.randint(1, 28),
            self.rng.randint(1, 12),
            self.rng.randint(1990, 2029),
        )
        name = LABELS["month"][month - 1]
        forms = (
            f"{day} {name} {year}",
            f"{name[:3]} {day}, {year}",
            f"{year}-{month:02}-{day:02}",
            f"{day:02}.{month:02}.{year}",
            f"{month}/{day}/{year}",
            f"{name} {year}",
            f"{name[:3]} {day}",
        )
        return self.rng.choice(forms)

    def time(self) -> str:
        """A time of day."""
        hour, minute = self.rng.randint(0, 23), self.rng.randint(0, 59)
        return self.rng.choice(
            (f"{hour:02}:{minute:02}", f"{hour % 12 + 1}:{minute:02} {'am' if hour < 12 else 'pm'}")
        )

    def phone(self) -> str:
        """A telephone number."""
        digits = [self.rng.randint(100, 999) for _ in range(2)] + [self.rng.randint(1000, 9999)]
        form = self.rng.choice(("+{3} {0} {1} {2}", "({0}) {1}-{2}", "{0}-{1}-{2}", "0{0} {1}{2}"))
        return form.format(*digits, self.rng.randint(1, 98))

    def random_string(self) -> str:
        """Letters and digits without sense, such as an order code; never a word."""
        letters = self.rng.choice(
            (string.ascii_uppercase, string.ascii_lowercase, string.ascii_letters)
        )
        while True:
            n = self.rng.randint(3, 8)
            text = self.rng.choices(letters + string.digits, k=n)
            text[self.rng.randrange(n)] = self.rng.choice(string.digits)
            glue = self.rng.choice(("", "", "-", "_", "#"))
            code = "".join(text)
            code = f"{code[:2]}{glue}{code[2:]}" if glue in "-_" else glue + code
            if not held_out_words().intersection(re.findall("[a-z]+", code.lower())):
                return code

    def _outside(self, text: str) -> str:
        """`text`, changed by a letter when it happens to be a held-out word."""
        return text + "x" if text.lower() in held_out_words() else text
