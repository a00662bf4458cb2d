"""Readers of others that find a Delta table's rows by its log. Each gives all rows, with all columns, as dicts."""

import logging
import os

import chdb
import daft
import datafusion
import duckdb
import polars
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

# ClickHouse reads local files only below the folder where it starts.
os.chdir("/")
# daft warns of each look that it reads the whole table.
logging.getLogger("daft").setLevel(logging.CRITICAL)


def s3():
    """Endpoint, key and its secret; deltalake takes them from the environment by itself."""
    return (os.environ[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


def by_duckdb(path):
    """Over a pyarrow dataset; DuckDB's own extension for Delta is no part of its package."""
    with duckdb.connect() as connection:
        connection.register("t", DeltaTable(path).to_pyarrow_dataset())
        return connection.sql("SELECT * FROM t").to_arrow_table().to_pylist()


def by_clickhouse(path):
    table = f"deltaLakeLocal('{path}')"
    if path.startswith("s3://"):
        endpoint, key, secret = s3()
        table = f"deltaLake('{endpoint}/{path.removeprefix('s3://')}', '{key}', '{secret}')"
    return chdb.query(f"SELECT * FROM {table}", "ArrowTable").to_pylist()


def by_daft(path):
    config = None
    if path.startswith("s3://"):
        endpoint, key, secret = s3()
        options = daft.io.S3Config(
            endpoint_url=endpoint, key_id=key, access_key=secret, region_name="us-east-1", use_ssl=False
        )
        config = daft.io.IOConfig(s3=options)
    return daft.read_deltalake(path, io_config=config).to_pylist()


def by_datafusion(path):
    """By deltalake's table provider; one on S3 finds its store only in the DataFusion within deltalake."""
    table = DeltaTable(path)
    if path.startswith("s3://"):
        return pa.table(QueryBuilder().register("t", table).execute("SELECT * FROM t").read_all()).to_pylist()
    context = datafusion.SessionContext()
    context.register_table("t", table)
    return context.sql("SELECT * FROM t").to_pylist()


READERS = {
    "deltalake": lambda path: DeltaTable(path).to_pyarrow_table().to_pylist(),
    "polars": lambda path: polars.scan_delta(path).collect().to_dicts(),
    "duckdb": by_duckdb,
    "clickhouse": by_clickhouse,
    "daft": by_daft,
    "datafusion": by_datafusion,
}
