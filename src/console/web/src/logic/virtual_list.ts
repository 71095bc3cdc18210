// The arithmetic of a list of which only what is seen exists: rows of one height, any number of them.

// Browsers clamp elements somewhere above 16 million pixels; a longer list is drawn on a shorter track.
export const maxTrack = 12_000_000;

export interface Layout {
  trackHeight: number; // of the element that gives the scroll bar its size
  first: number; // rows to draw: first to last, last not included
  last: number;
  offset: number; // where the first of them stands on the track, in pixels
}

export interface Viewport {
  count: number;
  rowHeight: number;
  viewHeight: number;
  scrollTop: number;
  overscan: number;
}

// The list's own coordinate of the top edge of what is seen.
export function virtualTop(view: Viewport): number {
  const full = view.count * view.rowHeight;
  const track = Math.min(full, maxTrack);
  const scrollable = Math.max(0, track - view.viewHeight);
  const top = Math.min(Math.max(0, view.scrollTop), scrollable);
  if (full <= maxTrack || scrollable === 0) return top;
  return (top / scrollable) * (full - view.viewHeight);
}

export function layOut(view: Viewport): Layout {
  const full = view.count * view.rowHeight;
  const trackHeight = Math.min(full, maxTrack);
  const top = virtualTop(view);
  const scrollable = Math.max(0, trackHeight - view.viewHeight);
  const scrolled = Math.min(Math.max(0, view.scrollTop), scrollable);
  const seenFirst = Math.floor(top / view.rowHeight);
  const seenLast = Math.ceil((top + view.viewHeight) / view.rowHeight);
  const first = Math.max(0, Math.min(seenFirst, view.count) - view.overscan);
  const last = Math.min(view.count, seenLast + view.overscan);
  return { trackHeight, first, last: Math.max(first, last), offset: scrolled + (first * view.rowHeight - top) };
}

// The scrollTop that shows the row whole, with the least movement.
export function scrollTopFor(view: Viewport, row: number): number {
  const full = view.count * view.rowHeight;
  const top = virtualTop(view);
  let wanted = top;
  if (row * view.rowHeight < top) wanted = row * view.rowHeight;
  else if ((row + 1) * view.rowHeight > top + view.viewHeight) wanted = (row + 1) * view.rowHeight - view.viewHeight;
  if (wanted === top) return view.scrollTop;
  wanted = Math.min(Math.max(0, wanted), Math.max(0, full - view.viewHeight));
  if (full <= maxTrack) return wanted;
  return (wanted / (full - view.viewHeight)) * (maxTrack - view.viewHeight);
}
