"""events.py: prints the records of tests/runtime_test_events.c as TensorBoard's own writer makes them (pip install tensorboard)."""
import io

from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def record(event):
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    return file.getvalue()


scalars = event_pb2.Event(wall_time=2.5, step=300)
for tag, number in (("loss", 0.25), ("lr", 1e-3)):
    scalars.summary.value.add(tag=tag, simple_value=number)
for event in (event_pb2.Event(wall_time=1.5, file_version="brain.Event:2"), scalars):
    print(record(event).hex())
