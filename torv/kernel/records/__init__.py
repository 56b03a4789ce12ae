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
from torv.kernel.records.errors import UnitNeeded
from torv.kernel.records.holding import (
    close_fence,
    dissolve_holding,
    hand_over,
    has_records_after,
    key_of,
    split_holding,
    stand_inside,
    unit_in,
)
from torv.kernel.records.models import (
    Bucket,
    Followed,
    Held,
    LateContent,
    LateWrite,
    NewRecord,
    Record,
    RecordType,
    TimelineLine,
)
from torv.kernel.records.service import (
    declare_type,
    follow_records,
    late_writes,
    read_late_write,
    read_record,
    record_types,
    write_record,
)
from torv.kernel.records.timeline import derive_again, list_timeline

__all__ = [
    "BUCKETS",
    "STREAM",
    "Bucket",
    "Followed",
    "Held",
    "LateContent",
    "LateWrite",
    "NewRecord",
    "Record",
    "RecordType",
    "TimelineLine",
    "UnitNeeded",
    "bucket_of",
    "close_fence",
    "declare_type",
    "derive_again",
    "digest_of",
    "dissolve_holding",
    "follow_records",
    "hand_over",
    "has_records_after",
    "key_of",
    "late_writes",
    "list_timeline",
    "read_buckets",
    "read_late_write",
    "read_record",
    "record_types",
    "routes",
    "split_holding",
    "stand_inside",
    "sum_digests",
    "touched_buckets",
    "unit_in",
    "write_record",
]
