// Light or dark: as the machine is set, or as chosen here.
import { signal } from '@preact/signals'

const KEY = 'kedge theme'
export type Theme = 'system' | 'light' | 'dark'
export const theme = signal<Theme>((localStorage.getItem(KEY) as Theme | null) ?? 'system')

export function applyTheme(): void {
  document.documentElement.style.colorScheme = theme.value === 'system' ? 'light dark' : theme.value
}
export function chooseTheme(t: Theme): void {
  theme.value = t
  localStorage.setItem(KEY, t)
  applyTheme()
}
