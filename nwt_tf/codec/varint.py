"""Unsigned integers of 7 bits a byte, the least significant first (LEB128), and lists of them."""


def write(numbers):
    """Non-negative integers -> bytes."""
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


class Reader:
    """Reads numbers and bytes from the front of `data`, bytes.

    Raises:
        ValueError: from its methods, where the data end early or a number exceeds 63 bits.
    """

    def __init__(self, data):
        self.data, self.position = data, 0

    def number(self):
        """The next number."""
        value = 0
        for shift in range(0, 63, 7):
            byte = self.bytes(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number is too large")

    def bytes(self, count):
        """The next `count` bytes."""
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            raise ValueError("it ends early")
        self.position += count
        return taken

    def rest(self):
        """All that is left."""
        return self.bytes(len(self.data) - self.position)
