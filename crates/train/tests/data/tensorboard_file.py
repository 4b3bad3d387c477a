"""What TensorBoard writes and reads, for the tests of `tensorboard.rs`.

    python tensorboard_file.py            # writes event.tfrecord beside this file
    python tensorboard_file.py FOLDER     # prints the scalars that TensorBoard reads there

Needs `pip install tensorboard`.
"""

import pathlib
import sys

if len(sys.argv) > 1:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(sys.argv[1])
    events.Reload()
    for tag in events.Tags()["scalars"]:
        scalars = events.Scalars(tag)
        last = scalars[-1]
        print(f"{tag}: {len(scalars)} points, the last {last.value:.6g} at step {last.step}")
else:
    import io

    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    value = Summary.Value(tag="train/loss", simple_value=0.25)
    event = Event(wall_time=1.5, step=300, summary=Summary(value=[value]))
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    path = pathlib.Path(__file__).with_name("event.tfrecord")
    path.write_bytes(file.getvalue())
    print(path, len(file.getvalue()), "bytes")
