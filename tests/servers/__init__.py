"""Real servers for the tests, on free ports, in a folder that goes away: PostgreSQL, Redis, S3 (Ceph's gateway).

`DARKROOM_TEST_DATABASE_URL`, `DARKROOM_TEST_REDIS_URL` and `DARKROOM_TEST_S3_URL` (with
`DARKROOM_TEST_S3_ACCESS_KEY_ID` and `DARKROOM_TEST_S3_SECRET_ACCESS_KEY`) name servers to use instead. What that Redis
database keeps is at the tests' mercy; of the others they use databases and buckets of their own making.
"""
