// The views of one thing, each with an address of its own.
export function Tabs({ label, tabs, current }: { label: string; tabs: { title: string; href: string }[]; current: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((t) => (
        <a key={t.title} href={t.href} aria-current={t.title === current ? 'page' : undefined}>
          {t.title}
        </a>
      ))}
    </nav>
  )
}
