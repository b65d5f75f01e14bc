"""What people do with boto3, the SDK under the aws command line. Arguments: endpoint, access key, secret key, bucket."""

import hashlib
import io
import sys
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, access_key, secret_key, bucket = sys.argv[1:]
s3 = boto3.client(
    "s3",
    endpoint_url=endpoint,
    aws_access_key_id=access_key,
    aws_secret_access_key=secret_key,
    region_name="us-east-1",
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
)

body = b"".join(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(600_000))  # 19.2 MB
parts = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(body), bucket, "big/one.bin", Config=parts, ExtraArgs={"Metadata": {"who": "boto3"}})
whole = io.BytesIO()
s3.download_fileobj(bucket, "big/one.bin", whole, Config=parts)
assert whole.getvalue() == body, "what was uploaded in parts comes back"
head = s3.head_object(Bucket=bucket, Key="big/one.bin")
assert head["ContentLength"] == len(body) and head["Metadata"] == {"who": "boto3"}, head

names = ["a b/c+d", "a b/e%f", "x&y", "ü/<z>"]
for name in names:
    s3.put_object(Bucket=bucket, Key=name, Body=name.encode(), ContentType="text/plain")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
listed = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
assert listed == sorted(names + ["big/one.bin"], key=str.encode), listed
top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
assert [p["Prefix"] for p in top["CommonPrefixes"]] == ["a b/", "big/", "ü/"], top
assert [o["Key"] for o in s3.list_objects(Bucket=bucket, Prefix="a b/")["Contents"]] == names[:2]

part = s3.get_object(Bucket=bucket, Key="big/one.bin", Range="bytes=1000-1999")
assert part["ResponseMetadata"]["HTTPStatusCode"] == 206 and part["Body"].read() == body[1000:2000]

s3.copy({"Bucket": bucket, "Key": "big/one.bin"}, bucket, "big/two.bin", Config=parts)
assert s3.get_object(Bucket=bucket, Key="big/two.bin")["Body"].read() == body, "copied in parts"
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/c+d"})
assert s3.head_object(Bucket=bucket, Key="copy")["ContentType"] == "text/plain"

url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "ü/<z>"}, ExpiresIn=60)
with urllib.request.urlopen(url) as answer:
    assert answer.read() == "ü/<z>".encode(), "a presigned address needs no key"

for code, ask in {
    "NoSuchKey": lambda: s3.get_object(Bucket=bucket, Key="none"),
    "NoSuchBucket": lambda: s3.list_objects_v2(Bucket="no-such-bucket"),
    "404": lambda: s3.head_object(Bucket=bucket, Key="none"),
}.items():
    try:
        ask()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(code)

everything = [{"Key": name} for name in [*names, "big/one.bin", "big/two.bin", "copy"]]
gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": everything})
assert len(gone["Deleted"]) == len(everything) and "Errors" not in gone, gone
assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
print("boto3", boto3.__version__, "is content")
