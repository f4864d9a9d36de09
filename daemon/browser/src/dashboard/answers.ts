// The answers of the daemon below /_kahnd/api/ (kahnd/web/dashboard.py). A key that has nothing to say may be left out.

export interface Failure {
  document: string;
  error: string;
  output?: string;
  message?: string;
  file?: string;
  line?: number;
  column?: number;
  remedy?: string;
}

export interface Blocked extends Failure {
  because: string;
}

export interface Warned extends Omit<Failure, "error"> {
  warning: string;
}

export type State = "scanning" | "rendering" | "idle" | "degraded" | "stopped";

export interface Build {
  id: string;
  cause: string;
  started_at: string;
  duration_ms: number;
  rendered: number;
  skipped: number;
  failed: number;
  blocked: number;
  removed: number;
  generations: number;
}

export interface Documents {
  total: number;
  done: number;
  dirty: number;
  failed: number;
  blocked: number;
  missing: number;
}

export interface DaemonStatus {
  project: string;
  root: string;
  state: State;
  version: string;
  documents: Documents;
  failures: Failure[];
  blocked: Blocked[];
  warnings: Warned[];
  last_build: Build | null;
  config_error?: string | null;
}

export interface Wave {
  first: number;
  last: number;
  done: number;
  total: number;
}

export interface RunningBuild {
  cause: string;
  done: number;
  total: number;
  rendering: { document: string; generation: number; seconds: number }[];
  waves: Wave[];
}

export interface Status {
  daemon: string;
  status: DaemonStatus;
  build: RunningBuild | null;
  trouble: string;
  editors: Record<string, string>;
  pages: Record<string, string>;
  event: number;
}

export interface Render {
  document: string;
  build: string;
  cause: string;
  status: string;
  started_at: string;
  duration_ms: number;
  error: string | null;
}

export interface Reason {
  kind: string;
  document: string;
  before: string | null;
  after: string | null;
  facets: string[];
  output?: string;
}

export interface DocumentDetail {
  why: { document: string; status: string; reasons: Reason[]; chain: string[]; rendered: Render | null };
  history: Render[];
  pages: string[];
  editor: string;
}

export interface Found {
  documents: string[];
  count: number;
}

export interface GraphNode {
  kind: "folder" | "document" | "collection" | "more";
  name: string;
  x: number;
  y: number;
  generation: number;
  count: number;
  counts: number[];
}

export interface GraphAnswer {
  shape: number;
  revision: number;
  documents: number;
  nodes?: GraphNode[];
  edges?: [number, number, number][];
  left_out?: number;
  counts?: number[][];
  unknown?: boolean;
}

export interface LogEntry {
  timestamp: string;
  level: string;
  event: string;
  document?: string;
  build?: string;
  [key: string]: unknown;
}

export interface LogLines {
  life: string;
  first: number;
  last: number;
  lines: { number: number; line: LogEntry }[];
}

export interface Outcome {
  rendered: number;
  skipped: number;
  failed: number;
  blocked: number;
  removed: number;
  duration_ms: number;
}

export interface Span {
  document: string;
  lane: number;
  ready_ms: number;
  started_ms: number;
  ended_ms: number;
  generation: number;
  ending: string;
  after: string | null;
  critical: boolean;
}

export interface Timeline {
  build: string;
  cause: string;
  started_at: string;
  duration_ms: number;
  running: boolean;
  critical_ms: number;
  left_out: number;
  from_history: boolean;
  spans: Span[];
}
