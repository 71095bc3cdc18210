import { describe, expect, test } from "vitest";
import { layOut, maxTrack, scrollTopFor, virtualTop } from "../../../src/console/web/src/logic/virtual_list";

const view = { count: 1000, rowHeight: 30, viewHeight: 600, scrollTop: 0, overscan: 5 };

describe("a list that fits the track", () => {
  test("draws what is seen and a few more", () => {
    expect(layOut(view)).toEqual({ trackHeight: 30_000, first: 0, last: 25, offset: 0 });
    expect(layOut({ ...view, scrollTop: 3015 })).toMatchObject({ first: 95, last: 126, offset: 2850 });
  });

  test("stays within its ends", () => {
    expect(layOut({ ...view, scrollTop: 1e9 })).toMatchObject({ first: 975, last: 1000 });
    expect(layOut({ ...view, scrollTop: -50 })).toMatchObject({ first: 0, offset: 0 });
    expect(layOut({ ...view, count: 0 })).toMatchObject({ first: 0, last: 0, trackHeight: 0 });
    expect(layOut({ ...view, count: 3, scrollTop: 500 })).toMatchObject({ first: 0, last: 3, offset: 0 });
  });

  test("moves no further than it has to", () => {
    expect(scrollTopFor(view, 5)).toBe(0);
    expect(scrollTopFor(view, 20)).toBe(30);
    expect(scrollTopFor({ ...view, scrollTop: 900 }, 10)).toBe(300);
    expect(scrollTopFor({ ...view, scrollTop: 900 }, 999)).toBe(29_400);
  });
});

describe("two million rows", () => {
  const long = { ...view, count: 2_000_000 };

  test("have a track that browsers can draw", () => expect(layOut(long).trackHeight).toBe(maxTrack));

  test("are reached to the last", () => {
    const end = layOut({ ...long, scrollTop: maxTrack - 600 });
    expect(end.last).toBe(2_000_000);
    // The last row ends where the track ends.
    expect(end.offset + (end.last - end.first) * 30).toBeCloseTo(maxTrack, 3);
  });

  test("stand where they are drawn, everywhere", () => {
    for (let scrollTop = 0; scrollTop < maxTrack - 600; scrollTop += 777_777) {
      const drawn = layOut({ ...long, scrollTop });
      const top = virtualTop({ ...long, scrollTop });
      expect(drawn.offset - scrollTop).toBeCloseTo(drawn.first * 30 - top, 3);
      expect(drawn.last - drawn.first).toBeLessThan(35);
    }
  });

  test("scroll to a row and show it whole", () => {
    for (const row of [0, 1, 999_999, 1_999_999]) {
      const scrollTop = scrollTopFor({ ...long, scrollTop: 5_000_000 }, row);
      const top = virtualTop({ ...long, scrollTop });
      expect(row * 30).toBeGreaterThanOrEqual(top - 0.01);
      expect((row + 1) * 30).toBeLessThanOrEqual(top + 600.01);
    }
  });
});
