// Draws the rows that are seen of a list of any length.
import type { ComponentChildren, JSX, RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { layOut, scrollTopFor, type Viewport } from "../logic/virtual_list";

export interface ListHandle {
  scrollToRow: (row: number) => void;
  scrollToTop: () => void;
  rowsPerPage: () => number;
}

interface Props extends Omit<JSX.HTMLAttributes<HTMLDivElement>, "children" | "ref"> {
  count: number;
  rowHeight: number;
  overscan?: number;
  header?: ComponentChildren; // stays at the top
  headerHeight?: number;
  row: (index: number) => ComponentChildren;
  onRange?: (first: number, last: number) => void;
  onTop?: (isAtTop: boolean) => void;
  handle?: RefObject<ListHandle>;
  trackRole?: "rowgroup" | "presentation" | "list";
}

export function VirtualList(props: Props) {
  const { count, rowHeight, overscan = 8, header, headerHeight = 0, row, onRange, onTop, handle, trackRole = "presentation", ...rest } = props;
  const box = useRef<HTMLDivElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const [viewHeight, setViewHeight] = useState(0);
  const view: Viewport = { count, rowHeight, viewHeight, scrollTop, overscan };
  const { trackHeight, first, last, offset } = layOut(view);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = () => setViewHeight(Math.max(0, element.clientHeight - headerHeight));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [headerHeight]);

  // Fewer rows, and the browser moves what is seen without saying so at once.
  useLayoutEffect(() => {
    const element = box.current;
    if (element && element.scrollTop !== scrollTop) setScrollTop(element.scrollTop);
  }, [count, rowHeight, viewHeight]);

  useLayoutEffect(() => onRange?.(first, last), [first, last, count]);

  if (handle) {
    handle.current = {
      scrollToRow: (index) => {
        if (box.current) box.current.scrollTop = scrollTopFor({ ...view, scrollTop: box.current.scrollTop }, index);
      },
      scrollToTop: () => {
        if (box.current) box.current.scrollTop = 0;
      },
      rowsPerPage: () => Math.max(1, Math.floor(viewHeight / rowHeight) - 1),
    };
  }

  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index += 1) rows.push(row(index));
  return (
    <div
      {...rest}
      ref={box}
      onScroll={(event) => {
        const top = event.currentTarget.scrollTop;
        setScrollTop(top);
        onTop?.(top < rowHeight / 2);
      }}
    >
      {header}
      <div role={trackRole} class="track" style={{ height: `${trackHeight}px` }}>
        <div role="presentation" class="drawn" style={{ transform: `translateY(${offset}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
