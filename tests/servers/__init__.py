"""Real servers for the tests, on free ports, in a temporary folder: PostgreSQL, Redis and S3 (Ceph's gateway).

Each pytest process, and so each pytest-xdist worker, starts servers of its own. `DARKROOM_TEST_DATABASE_URL`,
`DARKROOM_TEST_REDIS_URL` and `DARKROOM_TEST_S3_URL` (with `DARKROOM_TEST_S3_ACCESS_KEY_ID` and
`DARKROOM_TEST_S3_SECRET_ACCESS_KEY`) name running servers to use instead. The tests flush the named Redis database,
and with pytest-xdist the ones after it, one per worker. On the other servers they create their own databases and
buckets, and drop them.
"""
