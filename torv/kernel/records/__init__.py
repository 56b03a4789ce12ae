"""Records: the municipality's own copy of what modules produce, and the fence around who may write it."""

from torv.kernel.records.api import routes
from torv.kernel.records.buckets import (
    BUCKETS,
    STREAM,
    bucket_of,
    digest_of,
    read_buckets,
    sum_digests,
    touched_buckets,
)
from torv.kernel.records.models import Bucket, Held, LateContent, LateWrite, NewRecord, Record, RecordType, TimelineLine
from torv.kernel.records.service import (
    close_fence,
    declare_type,
    follow_records,
    hand_over,
    has_records_after,
    late_writes,
    read_late_write,
    read_record,
    record_types,
    stand_inside,
    write_record,
)
from torv.kernel.records.timeline import derive_again, list_timeline

__all__ = [
    "BUCKETS",
    "STREAM",
    "Bucket",
    "Held",
    "LateContent",
    "LateWrite",
    "NewRecord",
    "Record",
    "RecordType",
    "TimelineLine",
    "bucket_of",
    "close_fence",
    "declare_type",
    "derive_again",
    "digest_of",
    "follow_records",
    "hand_over",
    "has_records_after",
    "late_writes",
    "list_timeline",
    "read_buckets",
    "read_late_write",
    "read_record",
    "record_types",
    "routes",
    "stand_inside",
    "sum_digests",
    "touched_buckets",
    "write_record",
]
