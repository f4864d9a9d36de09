"""A worker process: `python -P -m kahnd.service.worker`, started by the pool."""

from kahnd.pool.worker import serve
from kahnd.service.greeting import prepare

if __name__ == "__main__":
    serve(prepare)
