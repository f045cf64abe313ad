"""The build's tasks on Apache Beam instead of local processes (extra `beam`)."""

import functools
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence

from data_pipeline import files


def _run(numbered: tuple[int, tuple], function: Callable, folder: str) -> int:
    """Runs a task and leaves its result in a file; Beam gives results back in any order."""
    index, task = numbered
    result = function(*task)
    with files.writing(files.join(folder, f"beam-{index:06d}.result")) as file:
        pickle.dump(result, file)
    return index


class BeamPool:
    """Runs tasks as a Beam pipeline each time; the same interface as WorkerPool.

    All Beam workers must reach the footage and the folder of parts under the same paths.

    Args:
        folder: For results on their way, a disk that is shared or gs://.
        arguments: Of Beam's PipelineOptions, such as ["--runner=DirectRunner"].

    Raises:
        ValueError: apache-beam is not installed.
    """

    num_workers = 1  # in each of Beam's processes: one task at a time, with all its threads

    def __init__(self, folder: str, arguments: Sequence[str] = ()):
        try:
            import apache_beam  # noqa: F401
        except ImportError as error:
            raise ValueError(
                "--runner=beam needs Apache Beam: pip install 'nwt_tf[beam]'"
            ) from error
        self.folder, self.arguments = folder, list(arguments)

    def __enter__(self) -> "BeamPool":
        return self

    def __exit__(self, *exception) -> None:
        pass

    def in_order(self, function: Callable, tasks: Iterable[tuple], progress=None) -> Iterator:
        """Yields function(*task) for every task, in the tasks' order, when all are done."""
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        tasks = list(tasks)
        if not tasks:
            return
        with beam.Pipeline(options=PipelineOptions(self.arguments)) as pipeline:
            _ = (
                pipeline
                | beam.Create(list(enumerate(tasks)))
                | beam.Reshuffle()
                | beam.Map(functools.partial(_run, function=function, folder=self.folder))
            )
        for index in range(len(tasks)):
            path = files.join(self.folder, f"beam-{index:06d}.result")
            with files.reading(path) as file:
                result = pickle.load(file)
            files.remove(path)
            yield result
