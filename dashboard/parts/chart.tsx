// A line over time (uPlot). Drawn for the eye alone: its caption says the newest value in words.
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import type { Sample } from './usage.tsx'

export interface ChartProps {
  samples: Sample[]
  value: 'cores' | 'bytes'
  /** The top of the scale; the largest value where it is 0. */
  most: number
  text(n: number): string
}

const HEIGHT = 140
const LEAST_S = 120

const clock = (s: number) =>
  new Date(s * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })

/** From the first to the last, two minutes at least. */
const spanOf = (times: ArrayLike<number>): [number, number] => {
  const last = times[times.length - 1] ?? Date.now() / 1000
  return [Math.min(times[0] ?? last, last - LEAST_S), last]
}

export function Chart({ samples, value, most, text }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  const data: UPlot.AlignedData = [samples.map((s) => s.at), samples.map((s) => s[value])]
  // Made once; what changes is the data.
  useEffect(() => {
    const style = getComputedStyle(box.current!)
    const axis = { stroke: style.color, grid: { stroke: style.borderColor, width: 1 }, ticks: { show: false }, font: '11px system-ui' }
    const options: UPlot.Options = {
      width: box.current!.clientWidth,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      scales: { y: { range: (_, __, max) => [0, most || max * 1.2 || 1] }, x: { range: (u) => spanOf(u.data[0]) } },
      axes: [
        { ...axis, space: 80, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(text) },
      ],
      series: [
        {},
        {
          stroke: style.accentColor,
          width: 2,
          fill: `color-mix(in srgb, ${style.accentColor} 15%, transparent)`,
          points: { show: samples.length < 3 },
        },
      ],
    }
    const made = new UPlot(options, data, box.current!)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: box.current?.clientWidth ?? 0, height: HEIGHT }))
    observer.observe(box.current!)
    return () => {
      observer.disconnect()
      made.destroy()
    }
  }, [])
  useEffect(() => plot.current?.setData(data))
  return <div class="chart" ref={box} aria-hidden="true" />
}
