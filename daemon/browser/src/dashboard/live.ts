// What the daemon tells, kept up to date while somebody looks.

import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Status } from "./answers";
import { type Daemon, DaemonError, type Query } from "./daemon";

const EVERY_MS = 1_000;

export interface Live {
  daemon: Daemon;
  /** The latest status; undefined until the first. */
  status: Status | undefined;
  /** Why there is no newer one. */
  error: string;
  /** Counts what has happened: other data is as old as the number with which it was asked for. */
  version: string;
}

export const LiveContext = createContext<Live | undefined>(undefined);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error("outside of the dashboard");
  return live;
}

/** The status, asked for every second while the page is visible, and at once when it is shown again. */
export function useStatus(daemon: Daemon): Live {
  const [status, setStatus] = useState<Status>();
  const [error, setError] = useState("");
  useEffect(() => {
    let timer = 0;
    let aborting = new AbortController();
    const look = async (): Promise<void> => {
      aborting.abort();
      aborting = new AbortController();
      const { signal } = aborting;
      window.clearTimeout(timer);
      try {
        const fresh = await daemon.ask<Status>("status", {}, signal);
        if (fresh.daemon !== daemon.id) location.reload(); // another start has another token
        setStatus(fresh);
        setError("");
      } catch (cause) {
        if (signal.aborted) return;
        setError(cause instanceof DaemonError ? cause.message : String(cause));
      }
      if (document.visibilityState === "visible") timer = window.setTimeout(() => void look(), EVERY_MS);
    };
    const wake = (): void => {
      if (document.visibilityState === "visible") void look();
    };
    document.addEventListener("visibilitychange", wake);
    window.addEventListener("pageshow", wake);
    void look();
    return () => {
      aborting.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", wake);
      window.removeEventListener("pageshow", wake);
    };
  }, [daemon]);
  return { daemon, status, error, version: versionOf(status) };
}

export interface Answer<T> {
  data: T | undefined;
  error: string;
  /** The data is the answer to another question than the one that is asked now. */
  isStale: boolean;
}

interface Repeated<T> {
  /** What to add to a question that was answered before. */
  query: (before: T) => Query;
  /** Makes the whole answer of the one before and of a fresh one, which may be a part. */
  merge: (before: T, fresh: T) => T;
}

/** The answer to a question, which is asked again whenever something has happened; one request at a time. */
export function useAnswer<T>(name: string, query: Query | undefined, repeated?: Repeated<T>): Answer<T> {
  const { daemon, version } = useLive();
  const key = query ? daemon.address(name, query) : "";
  const [found, setFound] = useState<{ key: string; data?: T; error: string }>({ key: "", error: "" });
  const latest = useRef<{ key: string; data: T }>(undefined);
  const ask = useRef<() => void>(undefined);
  useEffect(() => {
    if (!query) return undefined;
    const aborting = new AbortController();
    let isAsking = false;
    let isDue = false;
    const once = async (): Promise<void> => {
      const before = latest.current?.key === key ? latest.current.data : undefined;
      try {
        const more = before !== undefined && repeated ? repeated.query(before) : {};
        const fresh = await daemon.ask<T>(name, { ...query, ...more }, aborting.signal);
        const data = before !== undefined && repeated ? repeated.merge(before, fresh) : fresh;
        latest.current = { key, data };
        setFound({ key, data, error: "" });
      } catch (cause) {
        if (aborting.signal.aborted) return;
        const error = cause instanceof DaemonError ? cause.message : String(cause);
        setFound({ key, ...(before === undefined ? {} : { data: before }), error });
      }
    };
    ask.current = () => {
      isDue = true;
      if (isAsking) return;
      isAsking = true;
      void (async () => {
        while (isDue && !aborting.signal.aborted) {
          isDue = false;
          await once();
        }
        isAsking = false;
      })();
    };
    return () => {
      aborting.abort();
    };
  }, [key]);
  useEffect(() => {
    if (key) ask.current?.();
  }, [key, version]);
  return { data: found.data, error: found.key === key ? found.error : "", isStale: found.key !== key };
}

/** What changes whenever something has happened that other data than the status may show. */
function versionOf(status: Status | undefined): string {
  if (!status) return "";
  const { documents, last_build } = status.status;
  return [status.event, last_build?.id, status.build?.done, documents.total, documents.dirty, documents.failed, documents.blocked].join(" ");
}
