import { contents } from "./lib/contents.js";

contents(document.getElementById("contents"));
