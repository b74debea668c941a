import matplotlib.pyplot as plt

boroughs = ["North", "Harbour", "Old Town", "Mills", "East"]
visits = [42, 67, 88, 31, 54]

fig, ax = plt.subplots(figsize=(5.2, 3.6))
ax.bar(boroughs, visits, color="#2a7f9e")
ax.set_title("Library visits by borough")
ax.set_ylabel("Visits (thousands)")
ax.grid(axis="y", alpha=0.3)
plt.tight_layout()
plt.show()
