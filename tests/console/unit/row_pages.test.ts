import { describe, expect, test } from "vitest";
import type { Row } from "../../../src/console/web/src/api/types";
import {
  appendPage, firstPage, giveBack, indexOfSeq, missingPages, newestSeq, prepend, refill, rowAt, rowCount, sortRows,
} from "../../../src/console/web/src/logic/row_pages";

const rows = (newest: number, count: number): Row[] => Array.from({ length: count }, (_, at) => ({ seq: newest - at, ts: "", event: "allowed" }));

function manyPages(pages: number) {
  let list = firstPage(rows(pages * 10, 10), "c1");
  for (let at = 1; at < pages; at += 1) list = appendPage(list, `c${at}`, rows((pages - at) * 10, 10), at + 1 < pages ? `c${at + 1}` : null);
  return list;
}

describe("pages of rows", () => {
  test("follow one another by cursor; an answer to an older question is not taken", () => {
    const list = manyPages(3);
    expect(rowCount(list)).toBe(30);
    expect(list.next).toBeNull();
    expect(appendPage(list, "c1", rows(5, 5), null)).toBe(list);
    expect([0, 9, 10, 29, 30].map((at) => rowAt(list, at)?.seq)).toEqual([30, 21, 20, 1, undefined]);
  });

  test("new rows come on top, each once, in order", () => {
    let list = firstPage(rows(10, 10), null);
    list = prepend(list, [{ seq: 12, ts: "", event: "x" }, { seq: 11, ts: "", event: "x" }, { seq: 10, ts: "", event: "x" }, { seq: 12, ts: "", event: "x" }]);
    expect(newestSeq(list)).toBe(12);
    expect([0, 1, 2].map((at) => rowAt(list, at)?.seq)).toEqual([12, 11, 10]);
    expect(prepend(list, rows(12, 5))).toBe(list);
  });

  test("far pages are given back, their rows are asked for again by cursor", () => {
    let list = giveBack(manyPages(50), 0, 10);
    expect(rowCount(list)).toBe(500);
    expect(list.pages.filter((page) => page.rows !== null)).toHaveLength(11);
    expect(rowAt(list, 490)).toBeNull();
    expect(missingPages(list, 300, 320).map((page) => page.cursor)).toEqual(["c30", "c31"]);
    list = refill(list, "c30", rows(200, 10));
    expect(rowAt(list, 300)?.seq).toBe(200);
  });

  test("the first page stays, since it knows the newest", () => {
    expect(giveBack(manyPages(50), 49, 5).pages[0]?.rows).not.toBeNull();
  });

  test("a row is found by its seq where it is held", () => {
    const list = giveBack(prepend(manyPages(20), rows(203, 3)), 0, 5);
    expect(indexOfSeq(list, 203)).toBe(0);
    expect(indexOfSeq(list, 200)).toBe(3);
    expect(indexOfSeq(list, 1)).toBe(-1);
  });
});

test("sorting by status puts what has none last, newest first among equals", () => {
  const list: Row[] = [
    { seq: 1, ts: "", event: "allowed", status: 200 }, { seq: 2, ts: "", event: "blocked" }, { seq: 3, ts: "", event: "allowed", status: 200 },
    { seq: 4, ts: "", event: "allowed", status: 404 },
  ];
  expect(sortRows(list, "status").map((row) => row.seq)).toEqual([3, 1, 4, 2]);
  expect(sortRows(list, "status_down").map((row) => row.seq)).toEqual([2, 4, 3, 1]);
  expect(sortRows(list, "oldest").map((row) => row.seq)).toEqual([1, 2, 3, 4]);
});
