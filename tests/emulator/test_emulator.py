"""The emulator as a process: reached through its proxy, under AWS's own names, with its own authority."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.emulator.authority import Authority
from tests.emulator.client import REGION, Emulator, emulator

NOT_IMPLEMENTED = 501


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("emulator")) as started:
        yield started


def test_a_bucket_is_reached_under_its_own_host_name(running: Emulator) -> None:
    s3 = running.aws("s3")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="artifacts", Key="a", Body=b"model")
    assert s3.get_object(Bucket="artifacts", Key="a")["Body"].read() == b"model"
    assert f"https://artifacts.s3.{REGION}.amazonaws.com/a" in running.log.read_text()


def test_what_was_asked_can_be_told(running: Emulator) -> None:
    running.aws("s3").create_bucket(Bucket="asked", CreateBucketConfiguration={"LocationConstraint": REGION})
    start = running.log.stat().st_size
    running.aws("s3").get_bucket_versioning(Bucket="asked")
    running.aws("kms").list_keys()
    calls = running.calls(since=start)
    assert ("GET", f"https://asked.s3.{REGION}.amazonaws.com/?versioning") in calls.requests
    assert calls.actions == {"TrentService.ListKeys"}
    assert ("PUT", f"https://asked.s3.{REGION}.amazonaws.com/") in running.calls().requests - calls.requests


def test_reset_empties_the_account(running: Emulator) -> None:
    running.aws("sns").create_topic(Name="alarms")
    running.reset()
    assert running.aws("sns").list_topics()["Topics"] == []


def test_policies_that_aws_manages_are_there(running: Emulator) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert running.aws("iam").get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_a_call_that_moto_lacks_is_answered_once_and_for_all(running: Emulator) -> None:
    with pytest.raises(ClientError) as caught:
        running.aws("logs").get_log_record(logRecordPointer="p")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == NOT_IMPLEMENTED
    assert "get_log_record action has not been implemented" in running.log.read_text()


def test_mends_are_in_force(running: Emulator) -> None:
    assert running.aws("logs").describe_query_definitions()["queryDefinitions"] == []


def test_a_mend_can_be_left_out(tmp_path: Path) -> None:
    with (
        emulator(tmp_path, without=["query_definitions_exist"]) as plain,
        pytest.raises(ClientError, match="501"),
    ):
        plain.aws("logs").describe_query_definitions()


def test_an_emulator_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="invalid choice: 'nothing'"),
        emulator(tmp_path, without=["nothing"]),
    ):
        pass


def test_certificates_cover_the_siblings_of_a_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first = authority.certificate("one.s3.eu-west-1.amazonaws.com")
    assert authority.certificate("two.s3.eu-west-1.amazonaws.com") == first
    assert authority.certificate("sts.amazonaws.com") != first
    trust = ssl.create_default_context(cafile=str(authority.ca))
    assert len(trust.get_ca_certs()) >= 1
    assert authority.key.stat().st_mode & 0o777 == 0o600
