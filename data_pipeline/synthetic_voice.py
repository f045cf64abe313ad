"""A voice-like sound whose mouth is known: vowels, consonants, phrases and pauses.

Source and filter: glottal pulses with a moving, jittering pitch and a little breath pass through
four formants; consonants are closures, bursts, frication and nasal murmur. The articulation (how
far the mouth is open, how spread or rounded it is) comes first and drives loudness and formants, so
that the mouth can be told from the sound alone.
"""

from typing import NamedTuple

import numpy as np

CONTROL_RATE = 200  # articulation values a second

# F1, F2, F3 in Hz; mouth opening 0 (shut) .. 1 (wide); mouth width -1 (rounded) .. 1 (spread).
VOWELS = {
    "a": (800, 1250, 2600, 1.00, 0.2),
    "e": (530, 1850, 2550, 0.62, 0.7),
    "i": (300, 2300, 3000, 0.34, 1.0),
    "o": (500, 900, 2500, 0.66, -0.7),
    "u": (320, 760, 2400, 0.32, -1.0),
}
# voicing gain, noise gain, noise centre in Hz; mouth opening, mouth width. "-" is a pause.
CONSONANTS = {
    "p": (0.0, 0.30, 900, 0.00, 0.0),
    "t": (0.0, 0.35, 4200, 0.10, 0.2),
    "k": (0.0, 0.32, 2000, 0.12, 0.0),
    "s": (0.0, 0.30, 6000, 0.10, 0.5),
    "f": (0.0, 0.22, 3000, 0.05, 0.2),
    "m": (0.5, 0.0, 1000, 0.00, 0.0),
    "n": (0.5, 0.0, 1500, 0.10, 0.2),
    "-": (0.0, 0.0, 1000, 0.00, 0.0),
}
_PLOSIVES = "ptk"
_BANDWIDTHS = (80.0, 100.0, 140.0, 250.0)  # Hz, of the four formants
_F4 = 3600.0
_LEVEL = 0.65  # fixed, not normalised per take: loudness must mean the same in every clip
_LEAD_SECONDS = 0.02  # the lips move a little before the sound that they shape
_MOUTH_SMOOTHING = 0.032  # seconds (standard deviation): coarticulation


class Voice(NamedTuple):
    """A waveform and the articulation that made it.

    Attributes:
        waveform: float32 [N], mono, within [-1, 1].
        sample_rate: samples a second.
        opening: float32 [K], mouth opening in [0, 1], `CONTROL_RATE` values a second.
        width: float32 [K], mouth width in [-1 rounded, 1 spread].
        phones: list of (symbol, start in seconds, end in seconds); "-" is a pause.
    """

    waveform: np.ndarray
    sample_rate: int
    opening: np.ndarray
    width: np.ndarray
    phones: list

    @property
    def seconds(self) -> float:
        """Duration of the waveform."""
        return len(self.waveform) / self.sample_rate

    def at_frames(self, fps: float) -> tuple[np.ndarray, np.ndarray]:
        """Opening and width (float32 [T] each) at the times t / fps of a video of this length."""
        times = np.arange(round(self.seconds * fps)) / fps
        grid = np.arange(len(self.opening)) / CONTROL_RATE
        return tuple(
            np.interp(times, grid, track).astype(np.float32) for track in (self.opening, self.width)
        )


def synthesize_voice(seconds: float, seed: int, sample_rate: int = 24000) -> Voice:
    """Speaks nonsense syllables, in phrases, for exactly `seconds`.

    Args:
        seconds: duration, above 0. It begins and ends with a short pause.
        seed: the same seed, duration and rate give the same samples.
        sample_rate: a multiple of 200 from 16000 on.

    Raises:
        ValueError: for a duration that is not positive or a rate that is not supported.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be above 0. Received: {seconds}")
    if sample_rate < 16000 or sample_rate % CONTROL_RATE:
        raise ValueError(
            f"sample_rate must be a multiple of {CONTROL_RATE} and at least 16000. "
            f"Received: {sample_rate}"
        )
    rng = np.random.default_rng([seed, 0x701CE])
    return _speak(_script(seconds, rng), seconds, rng, sample_rate)


def sustain_vowel(vowel: str, seconds: float, seed: int, sample_rate: int = 24000) -> Voice:
    """Holds one vowel ("a", "e", "i", "o" or "u") for `seconds`: a probe for tests and plots."""
    if vowel not in VOWELS:
        raise ValueError(f"vowel must be one of {', '.join(VOWELS)}. Received: {vowel!r}")
    rng = np.random.default_rng([seed, 0x701CE])
    return _speak([(vowel, seconds, 1.0)], seconds, rng, sample_rate)


def _script(seconds: float, rng) -> list[tuple[str, float, float]]:
    """What is said: (phone, duration in seconds, stress), adding up to `seconds` or more."""
    tail = min(0.15, 0.1 * seconds)
    phones = [("-", rng.uniform(0.08, 0.2), 0.0)]
    spoken = phones[0][1]
    while True:
        phrase = []
        for position in range(rng.integers(3, 8)):
            if rng.random() < 0.88:
                phrase.append((rng.choice(list("ptksfmn")), rng.uniform(0.06, 0.11), 0.0))
            stress = rng.uniform(0.72, 1.0) * (1.0 if position == 0 else rng.uniform(0.85, 1.0))
            phrase.append((rng.choice(list(VOWELS)), rng.uniform(0.12, 0.24), stress))
        for phone in phrase:  # the last phrase ends early rather than being cut off in mid-sound
            if spoken + phone[1] > seconds - tail:
                return [*phones, ("-", seconds - spoken + 1.0, 0.0)]
            phones.append(phone)
            spoken += phone[1]
        phones.append(("-", rng.uniform(0.22, 0.5), 0.0))
        spoken += phones[-1][1]


def _speak(script, seconds, rng, sample_rate) -> Voice:
    num_controls = int(np.ceil(seconds * CONTROL_RATE)) + 1
    # voicing, noise, noise centre, F1, F2, F3, opening, width, stress; at rest until set
    tracks = np.tile([0.0, 0.0, 1000.0, *VOWELS["e"][:3], 0.0, 0.0, 0.0], (num_controls, 1))
    phones, start = [], 0.0
    held = np.array(VOWELS["e"][:3], float)  # formants of the vowel around a consonant
    for index, (phone, duration, stress) in enumerate(script):
        first, last = (round(t * CONTROL_RATE) for t in (start, start + duration))
        if phone in VOWELS:
            *formants, opening, width = VOWELS[phone]
            held = np.array(formants, float)
            tracks[first:last] = [1.0, 0.02, 4000, *held, opening * stress, width, stress]
        else:
            voicing, noise, centre, opening, width = CONSONANTS[phone]
            following = script[index + 1][0] if index + 1 < len(script) else "-"
            formants = VOWELS[following][:3] if following in VOWELS else held
            tracks[first:last] = [voicing, noise, centre, *formants, opening, width, 0.0]
            if phone in _PLOSIVES:  # silence, then a burst in the last 20 ms
                tracks[first : max(first, last - 4), 1] = 0.0
            if voicing:
                tracks[first:last, 3] = 260.0  # nasal murmur
        phones.append((str(phone), start, min(start + duration, seconds)))
        start += duration
        if start >= seconds:
            break
    opening = np.clip(_smooth(tracks[:, 6], _MOUTH_SMOOTHING, _LEAD_SECONDS), 0.0, 1.0)
    width = np.clip(_smooth(tracks[:, 7], 0.045, _LEAD_SECONDS), -1.0, 1.0)
    waveform = _waveform(tracks, opening, rng, round(seconds * sample_rate), sample_rate)
    return Voice(
        waveform, sample_rate, opening.astype(np.float32), width.astype(np.float32), phones
    )


def _waveform(tracks, opening, rng, num_samples, sample_rate):
    """Excitation -> short-time spectra -> formants -> overlap-add; float32 [num_samples]."""
    hop = sample_rate // CONTROL_RATE
    size = len(opening) * hop
    grid = np.arange(len(opening)) * hop
    # Loudness in step with the mouth: about 20 dB between a nearly shut and a wide one.
    loudness = _smooth(tracks[:, 0], 0.008) * (0.08 + 0.92 * opening)
    pitch = rng.uniform(108, 145) * (1.0 + 0.22 * _smooth(tracks[:, 8], 0.08))
    pitch *= 1.0 + 0.05 * _smooth(rng.standard_normal(len(opening)), 0.15) / 0.15
    pitch *= 1.0 + 0.01 * rng.standard_normal(len(opening))  # jitter
    phase = np.cumsum(np.interp(np.arange(size), grid, np.clip(pitch, 80, 260))) / sample_rate % 1.0
    # Rosenberg's glottal flow, differentiated (lip radiation); it closes abruptly at 0.6.
    flow = np.where(
        phase < 0.4,
        0.5 * (1 - np.cos(np.pi * phase / 0.4)),
        np.where(phase < 0.6, np.cos(0.5 * np.pi * (phase - 0.4) / 0.2), 0.0),
    )
    pulses = np.diff(flow, prepend=0.0) * (sample_rate / 2400)
    noise = rng.standard_normal(size)

    frame = 4 * hop
    fft_size = 2 * frame  # room for the filters' ringing, so that frames do not wrap around
    window = np.float32(np.hanning(frame + 1)[:-1] / 2.0)  # four overlapping windows add up to one
    frequency = np.fft.rfftfreq(fft_size, 1.0 / sample_rate).astype(np.float32)
    formants = np.stack([_smooth(track, 0.02) for track in tracks[:, 3:6].T], axis=1)
    voiced = np.ones((len(opening), len(frequency)), np.complex64)
    for index, bandwidth in enumerate(_BANDWIDTHS):
        centre = formants[:, index] if index < 3 else np.full(len(opening), _F4)
        voiced *= _resonance(frequency, centre[:, None], bandwidth)
    hiss = _resonance(frequency, tracks[:, 2:3], 1200.0)
    hiss /= np.abs(hiss).max(axis=1, keepdims=True)

    padded = [np.pad(np.float32(s), (frame // 2, frame)) for s in (pulses, noise)]
    index = grid[:, None] + np.arange(frame)
    source, breath = (np.fft.rfft(signal[index] * window, fft_size) for signal in padded)
    hissing = 0.25 * _smooth(tracks[:, 1], 0.006)
    spectrum = (source + 0.01 * breath) * voiced * np.float32(loudness)[:, None]
    spectrum += breath * hiss * np.float32(hissing)[:, None]
    pieces = np.fft.irfft(spectrum, fft_size)  # [K, fft_size]
    sound = np.zeros((len(opening) + fft_size // hop, hop))
    for part in range(fft_size // hop):
        sound[part : part + len(opening)] += pieces[:, part * hop : (part + 1) * hop]
    sound = sound.reshape(-1)[frame // 2 :][:num_samples]
    sound = _LEVEL * sound + 5e-4 * rng.standard_normal(num_samples)  # a quiet room
    return np.tanh(sound).astype(np.float32)


def _resonance(frequency, centre, bandwidth):
    """Response of a second-order resonator, one at 0 Hz. `centre` [K, 1] Hz -> complex [K, F]."""
    square = np.float32(centre) ** 2
    return square / (square - frequency**2 + 1j * bandwidth * frequency)


def _smooth(track, seconds, lead=0.0):
    """Gaussian smoothing along a control track, read `lead` seconds ahead."""
    reach = int(np.ceil((4 * seconds + lead) * CONTROL_RATE))
    offset = np.arange(-reach, reach + 1) / CONTROL_RATE
    kernel = np.exp(-0.5 * ((offset + lead) / seconds) ** 2)
    return np.convolve(np.pad(track, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
