"""Fragmented mp4s, as they were streamed, to ordinary ones, as people keep them."""

import io

from data_pipeline.mp4 import TAG


def ordinary_mp4(fragmented: bytes) -> bytes:
    """The same packets in an mp4 with one index in front, which every program opens.

    Args:
        fragmented: what LiveMp4 wrote.

    Returns:
        The file.

    Raises:
        ValueError: it is no mp4.
    """
    import av

    try:
        source = av.open(io.BytesIO(fragmented), format="mp4")
    except (av.error.FFmpegError, ValueError) as error:
        raise ValueError("this is no mp4 that could be rewritten") from error
    target = io.BytesIO()
    with source:
        packets = [packet for packet in source.demux() if packet.size]
        # Room for the index: 32 bytes a packet are more than its tables take.
        options = {"moov_size": str(8192 + 32 * len(packets))}
        with av.open(target, "w", format="mp4", options=options) as output:
            output.metadata["comment"] = TAG
            streams = {
                stream.index: output.add_stream_from_template(stream) for stream in source.streams
            }
            for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    return target.getvalue()
